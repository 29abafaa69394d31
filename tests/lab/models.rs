//! The models of kube-proxy against dumps of a real one (v1.36.3): the same chains, rules, sets and maps.

use std::fs;

use crate::common;
use crate::data_plane::{DataPlane, Service, ServicePort, Traffic};
use crate::dump;
use crate::net::{CLUSTER_IP, FAMILIES, Family, Machine};
use crate::node::Variant;
use crate::real;
use crate::traffic::Transport;

/// The dumps in `tests/lab/dumps`: a name, the pods behind the Service, and which of them answer.
pub const DUMPS: [(&str, &[usize], Traffic); 5] = [
    ("pod1", &[0], Traffic::Cluster),
    ("pod1-pod2", &[0, 1], Traffic::Cluster),
    ("no-endpoints", &[], Traffic::Cluster),
    ("local-with-pod1", &[0, 1], Traffic::Local),
    ("local-only-pod2", &[1], Traffic::Local),
];

/// Compares what the model loads on node1 with one dump.
pub fn compare(data_plane: DataPlane, name: &str, endpoints: &[usize], traffic: Traffic) -> Result<(), String> {
    let port = |name: &str, transport, port, target_port, node_port| ServicePort {
        name: name.to_owned(),
        transport,
        port,
        target_port,
        node_port: Some(node_port),
    };
    let service = Service {
        namespace: "gw".to_owned(),
        name: "edge".to_owned(),
        cluster_ip: CLUSTER_IP,
        ports: vec![
            port("http", Transport::Tcp, 80, 8_000, 30_080),
            port("https", Transport::Tcp, 443, 8_443, 30_443),
            port("http3", Transport::Udp, 443, 8_443, 30_443),
        ],
        traffic,
        load_balancer: Vec::new(),
        external_ips: Vec::new(),
        endpoints: endpoints.to_vec(),
    };
    let machine = Machine::new();
    data_plane.start(&machine, 0, &[service]);
    for family in FAMILIES {
        let (mode, read): (_, fn(&str) -> dump::Dump) = match data_plane {
            DataPlane::Nftables => ("nftables", dump::nftables),
            _ => ("iptables", dump::iptables),
        };
        let version = if family == Family::V4 { "v4" } else { "v6" };
        let path = common::root().join(format!("tests/lab/dumps/{mode}-{name}.{version}.txt"));
        let recorded = read(&fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?);
        let model = dump::live(&machine, data_plane, family);
        if recorded.is_empty() || recorded != model {
            return Err(format!("{}:\n{}", path.display(), real::difference(&recorded, &model)));
        }
    }
    Ok(())
}

/// The data planes there are dumps of.
pub const DATA_PLANES: [DataPlane; 3] =
    [DataPlane::Iptables(Variant::Nft), DataPlane::Iptables(Variant::Legacy), DataPlane::Nftables];
