//! From one tree to another: what an operator runs, told by the files that differ.

mod nodes;

pub use nodes::{checked as nodes_checked, shown as nodes_shown};

use serde_json::Value;

use super::effect::handed_over;
use super::manifests::{services, with_status};
use super::objects::identity;
use super::readme::places;
use super::readme::steps::{commands, passwords};
use super::{Fault, cilium, metallb};
use crate::compare::{Change, Kind};
use crate::plan::{Plan, ServiceType};

/// Whether a Service that both trees have can be changed where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// It can: what comes is applied before what goes is deleted.
    Change,
    /// It cannot: what goes is deleted before what comes is applied.
    Replace,
}

/// The commands that bring a cluster from one tree to another, from the folder of the second one: first what others
/// need and what keeps node ports shut, then nodes, then gateways, last what is to go.
///
/// # Errors
/// A fault of portgen.
pub fn carry_over(from: &Plan, to: &Plan, changes: &[Change], how: Services) -> Result<Vec<String>, Fault> {
    let [first_nodes, nodes, last_nodes] = nodes::carried(from, to, changes)?;
    let differs =
        |path: &str| changes.iter().any(|change| change.kind != Kind::Removed && change.path.starts_with(path));
    let apply = |folder: &str| differs(folder).then(|| format!("kubectl apply --server-side -k {folder}"));
    let replaced = how == Services::Replace;
    let mut k3s = Vec::new();
    for name in ["config.yaml", "agent.yaml"].into_iter().filter(|name| differs(&format!("k3s/{name}"))) {
        k3s.push(format!("# each k3s {}, one after the other", places::k3s_role(name)));
        k3s.extend(places::k3s_restart(name));
    }
    // What is switched off takes no new Service up; what is switched on again takes none that is still to change.
    let off = to.k3s_disables();
    let (first, last) =
        if from.k3s_disables().iter().all(|was| off.contains(was)) { (k3s, Vec::new()) } else { (Vec::new(), k3s) };
    let mut run = first;
    run.extend(first_nodes);
    if !replaced {
        run.extend(cleared(from, to));
        run.extend(apply("manifests"));
    }
    if changes.iter().any(|change| change.path == "cilium/values.yaml") {
        run.extend(cilium_values(from, to));
    }
    if differs("kube-proxy") {
        run.push("# merge the fields of kube-proxy/config.yaml into config.conf".to_owned());
        run.extend(commands::kube_proxy_restart());
    } else if changes.iter().any(|change| change.path.starts_with("kube-proxy")) {
        run.push("# kube-proxy keeps its settings until they are taken out of config.conf of its ConfigMap".to_owned());
    }
    if differs("kind") {
        run.push(
            "# the cluster keeps the ports it was made with: one made anew has those of kind/cluster.yaml".to_owned(),
        );
    }
    if differs("kube-apiserver") {
        run.push(format!(
            "{} || {{ echo 'the API server does not have that range: give it the one of kube-apiserver/kubeadm.yaml first' >&2; exit 1; }}",
            commands::api_server_range(to)
        ));
    }
    if differs("metallb") && metallb::objects(from).is_empty() {
        run.push(format!("# where no MetalLB is installed yet: {}", places::metallb_install(to)));
    }
    // The namespace comes with the objects.
    run.extend(apply("metallb"));
    run.extend(passwords::added(from, to, "MetalLB"));
    run.extend(passwords::added(from, to, "Cilium"));
    run.extend(apply("cilium/objects"));
    run.extend(nodes);
    if replaced {
        // As late as can be: a chart may want its node ports.
        run.extend(deleted(from, to));
    }
    for gateway in to.gateways.values().filter(|gateway| differs(&format!("helm/{}.values.yaml", gateway.name))) {
        run.push(commands::helm_upgrade(gateway));
    }
    if replaced {
        run.extend(apply("manifests"));
    }
    // A Service that was made anew has lost its status.
    let named = with_status(to).filter(|way| replaced || differs(&format!("status/{}.yaml", way.service.name)));
    run.extend(named.map(commands::status_patch));
    if !replaced {
        run.extend(deleted(from, to));
    }
    run.extend(last_nodes);
    run.extend(objects_deleted(from, to));
    run.extend(last);
    Ok(run)
}

/// Cilium keeps what an upgrade does not say, so only what comes or changes is a reason for one.
fn cilium_values(from: &Plan, to: &Plan) -> Vec<String> {
    let mut run = Vec::new();
    if !cilium::only_loses_values(from, to) {
        run.extend(commands::cilium_upgrade());
    }
    let lost = cilium::lost_values(from, to);
    if !lost.is_empty() {
        run.push(format!("# stays in Cilium's values, though no gateway of this tree needs it: {}", lost.join(", ")));
    }
    run
}

/// Addresses in the status of a Service that stays without them: they go while it may still have some.
fn cleared(from: &Plan, to: &Plan) -> Vec<String> {
    let stays = |name: &str| services(to).iter().any(|way| way.service.name == name && way.needs.status_ips.is_empty());
    with_status(from).filter(|way| stays(&way.service.name)).map(commands::status_cleared).collect()
}

/// Services that portgen wrote into the one tree and not into the other, or that are to be made anew.
fn deleted(from: &Plan, to: &Plan) -> Vec<String> {
    let balancer = ServiceType::LoadBalancer;
    services(from)
        .into_iter()
        .filter(|gone| {
            let stays = services(to).into_iter().any(|way| {
                // The class of a load balancer cannot change.
                let other_class = (way.needs.service_type, gone.needs.service_type) == (balancer, balancer)
                    && way.needs.load_balancer_class != gone.needs.load_balancer_class;
                (&way.namespace, &way.service.name) == (&gone.namespace, &gone.service.name) && !other_class
            });
            !stays
        })
        .map(|gone| format!("kubectl -n {} delete service {}", gone.namespace, gone.service.name))
        .collect()
}

/// Objects of MetalLB that the second tree has under another name: it takes no second pool with the same addresses, nor
/// a second session with the same router, beside the first.
#[must_use]
pub fn renamed(from: &Plan, to: &Plan) -> Vec<[String; 2]> {
    let all = |plan: &Plan| -> Vec<Value> { metallb::objects(plan).into_iter().flat_map(|(_, it)| it).collect() };
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    handed_over(&all(from), &all(to)).into_iter().map(|(gone, comes)| [name(gone), name(comes)]).collect()
}

/// Objects of MetalLB and Cilium that the other tree does not have.
fn objects_deleted(from: &Plan, to: &Plan) -> Vec<String> {
    let of = |files: Vec<(String, Vec<Value>)>| -> Vec<String> {
        let objects = files.into_iter().flat_map(|(_, objects)| objects);
        // MetalLB itself lives in the namespace.
        let own = objects.filter(|object| object["apiVersion"] != "v1" && object["kind"] != "Kustomization");
        own.map(|object| {
            let (kind, name) = identity(&object);
            format!("{}/{name}", kind.to_lowercase())
        })
        .collect()
    };
    let gone = |from: Vec<String>, to: &[String], command: String| {
        let gone: Vec<String> = from.into_iter().filter(|object| !to.contains(object)).collect();
        (!gone.is_empty()).then(|| format!("{command} {}", gone.join(" ")))
    };
    let metallb = gone(
        of(metallb::objects(from)),
        &of(metallb::objects(to)),
        format!("kubectl -n {} delete", metallb::NAMESPACE),
    );
    let cilium = gone(of(cilium::objects(from)), &of(cilium::objects(to)), "kubectl delete".to_owned());
    metallb.into_iter().chain(cilium).collect()
}
