//! A spec with another form of exposure in a gateway.

use serde_json::{Map, Value, json};

use super::situation::Situation;
use crate::grammar::{Family, PortName};
use crate::input::spec::{Exposure, PortSpec, Ports, Spec};
use crate::plan::knowledge::{Form, SourceKept, meaning};
use crate::plan::{CloudProvider, Gateway};

/// What came of a swap.
pub struct Swapped {
    /// The spec.
    pub spec: Spec,
    /// Wishes of the old exposure that the new one has no field for.
    pub lost: Vec<&'static str>,
}

/// The spec with this form in a gateway; the form it has now stays as it was written.
pub fn to(form: Form, spec: &Spec, gateway: &Gateway, situation: &Situation) -> Swapped {
    let (exposure, lost) = exposure(form, spec, gateway, situation);
    let mut spec = spec.clone();
    if let Some(of_spec) = spec.gateways.0.get_mut(&gateway.name) {
        of_spec.exposure = exposure;
        if form == Form::NodePortInRange {
            of_spec.ports = without_node_ports(&of_spec.ports);
        }
    }
    Swapped { spec, lost }
}

/// The exposure of a form with what the gateway's own says, and what of that it has no field for.
fn exposure(form: Form, spec: &Spec, gateway: &Gateway, situation: &Situation) -> (Exposure, Vec<&'static str>) {
    const WISHES: [&str; 4] = ["allowFrom", "limits", "externalTrafficPolicy", "sessionAffinity"];
    const ADDRESSES: [&str; 5] = ["addresses", "loadBalancerIP", "interfaces", "announceFrom", "bgp"];
    let written = &spec.gateways.0[&gateway.name].exposure;
    if form == Form::of(gateway) {
        return (written.clone(), Vec::new());
    }
    let mut fields = bare(form, spec.cluster.ip_families.as_slice(), situation);
    let mut lost = Vec::new();
    let own = serde_json::to_value(written).unwrap_or_default();
    for name in ADDRESSES.into_iter().chain(WISHES) {
        let Some(value) = own.get(name) else { continue };
        let mut more = fields.clone();
        more.insert(name.to_owned(), value.clone());
        if read(&more).is_some() {
            fields = more;
        } else if WISHES.contains(&name)
            && !(name == "externalTrafficPolicy" && meaning(form).source == SourceKept::Always)
        {
            lost.push(name);
        }
    }
    (read(&fields).unwrap_or_else(|| written.clone()), lost)
}

fn read(fields: &Map<String, Value>) -> Option<Exposure> {
    serde_json::from_value(Value::Object(fields.clone())).ok()
}

/// The shortest exposure of a form. Addresses that nobody has yet come from networks that are for tests (RFC 2544, RFC 5180).
fn bare(form: Form, families: &[Family], situation: &Situation) -> Map<String, Value> {
    let of = |v4: &str, v6: &str| -> Vec<String> {
        families.iter().map(|family| if *family == Family::IPv4 { v4 } else { v6 }.to_owned()).collect()
    };
    let ranges = of("198.18.0.200-198.18.0.209", "2001:2::200-2001:2::209");
    let routers = of("198.18.0.1", "2001:2::1");
    let peers: Map<String, Value> = (1..)
        .zip(routers)
        .map(|(number, address)| (format!("router-{number}"), json!({"address": address, "asn": 64513})))
        .collect();
    let bgp = json!({"localASN": 64512, "peers": peers});
    let cloud = match situation.cloud {
        Some(CloudProvider::Gcp) => "gcp",
        Some(CloudProvider::Azure) => "azure",
        Some(CloudProvider::Aws) | None => "aws",
    };
    let fields = match form {
        Form::PortRewrite => json!({"mechanism": "portRewrite"}),
        Form::SocketProxy => json!({"mechanism": "socketProxy"}),
        Form::NatRedirect => json!({"mechanism": "natRedirect"}),
        Form::NodePort | Form::NodePortInRange | Form::HostPort => json!({}),
        Form::HostNetworkRedirect => json!({"bind": "redirect"}),
        Form::HostNetworkDirect => json!({"bind": "direct"}),
        Form::MetalLbL2 => json!({"mode": "l2", "addresses": ranges}),
        Form::MetalLbBgp => json!({"mode": "bgp", "addresses": ranges, "bgp": bgp}),
        Form::CiliumL2 => json!({"announce": "l2", "addresses": ranges}),
        Form::CiliumBgp => json!({"announce": "bgp", "addresses": ranges, "bgp": bgp}),
        Form::CiliumNode => json!({"announce": "node"}),
        Form::CloudLoadBalancer => json!({"provider": cloud}),
        Form::ExternalIpsSpec => json!({"form": "spec"}),
        Form::ExternalIpsStatus => json!({"form": "status"}),
    };
    let mut all = Map::from_iter([("strategy".to_owned(), json!(form.strategy()))]);
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    all
}

fn without_node_ports(ports: &Ports) -> Ports {
    let bare = |(name, port): (&PortName, &PortSpec)| (name.clone(), PortSpec { node_port: None, ..port.clone() });
    // As many as before, so never none.
    Ports::try_from(ports.as_map().iter().map(bare).collect::<std::collections::BTreeMap<_, _>>())
        .unwrap_or_else(|_| ports.clone())
}
