//! From a plan to the files of a tree, each read back before it counts.

mod carry;
mod cilium;
mod converted;
mod effect;
mod helm;
mod kube_proxy;
mod manifests;
mod metallb;
pub mod node;
mod objects;
mod places;
mod readme;
mod resolved;
mod templates;
mod yaml;

pub use carry::{Services, carry_over, nodes_checked, nodes_shown, renamed};
pub use cilium::only_loses_values as only_loses_cilium_values;
pub use converted::converted;
pub use effect::effects;
pub use readme::steps::commands::rollout;
pub use readme::steps::requests::requests;
pub use resolved::resolved;
pub use yaml::to_yaml;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::artifact::{Artifact, Artifacts};
use crate::finding::{Finding, Route};
use crate::plan::Plan;

/// A fault of portgen itself: what it wrote does not say what was planned.
#[derive(Debug, thiserror::Error)]
#[error("portgen would write a wrong `{path}`: {reason}; this is a fault of portgen, nothing was written")]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Renders the tree of a plan without errors; `findings` are told in its README.
///
/// # Errors
/// A fault of portgen or of a chart folder, never of the spec.
pub fn render(plan: &Plan, findings: &[Finding]) -> Result<Artifacts, Fault> {
    let mut tree = Tree { plan, artifacts: Artifacts::new(plan.name.to_string()) };
    let mut nodes = BTreeMap::new();
    for (pool, node) in &plan.nodes {
        let files = node::files(plan, pool, node)
            .map_err(|path| Fault { path, reason: "it reads back as something else".to_owned() })?;
        nodes.insert(pool, files);
    }
    tree.text("README.md", &Route::of(["metadata", "name"]), readme::text(plan, findings, &nodes)?)?;
    for gateway in plan.gateways.values() {
        tree.yaml(&format!("helm/{}.values.yaml", gateway.name), &gateway.route, &[helm::values(plan, gateway)?])?;
    }
    for (name, manifest) in manifests::manifests(plan) {
        tree.yaml(&format!("manifests/{name}"), &Route::of(["gateways"]), &[manifest])?;
    }
    for gateway in manifests::with_status(plan) {
        let patch = manifests::status(gateway);
        tree.yaml(&format!("status/{}.yaml", gateway.service.name), &gateway.route.key("exposure"), &[patch])?;
    }
    for (name, objects) in metallb::objects(plan) {
        let gateway = name.strip_suffix(".yaml").unwrap_or_default();
        let route = plan.gateways.values().find(|known| known.name.as_str() == gateway);
        let route = route.map_or_else(|| Route::of(["gateways"]), |gateway| gateway.route.key("exposure"));
        tree.yaml(&format!("metallb/{name}"), &route, &objects)?;
    }
    let cluster = Route::of(["cluster", "serviceProxy"]);
    if let Some(values) = cilium::values(plan) {
        tree.yaml("cilium/values.yaml", &cluster, &[values])?;
    }
    for (name, objects) in cilium::objects(plan) {
        tree.yaml(&format!("cilium/objects/{name}"), &Route::of(["gateways"]), &objects)?;
    }
    if let Some(config) = kube_proxy::config(plan) {
        tree.yaml("kube-proxy/config.yaml", &cluster, &[config])?;
    }
    if let Some(config) = kube_proxy::kubeadm(plan) {
        tree.yaml("kube-apiserver/kubeadm.yaml", &Route::of(["cluster", "nodePortRange"]), &[config])?;
    }
    let distribution = Route::of(["cluster", "distribution"]);
    if let Some(config) = places::kind(plan)? {
        tree.yaml("kind/cluster.yaml", &distribution, &[config])?;
    }
    for (name, settings) in places::k3s(plan) {
        tree.yaml(&format!("k3s/{name}"), &distribution, &[settings])?;
    }
    for (pool, files) in nodes {
        for (path, text) in files {
            tree.text(&format!("nodes/{pool}/{path}"), &plan.pools[pool].route, text)?;
        }
    }
    Ok(tree.artifacts)
}

/// The spec that `portgen init` writes, from the answers to its questions.
///
/// # Errors
/// A fault of the template.
pub fn starter(answers: &Value) -> Result<String, Fault> {
    const NAME: &str = "starter.j2";
    templates::render(NAME, include_str!("../../templates/starter.j2"), answers)
        .map_err(|error| Fault { path: NAME.to_owned(), reason: error.to_string() })
}

struct Tree<'a> {
    plan: &'a Plan,
    artifacts: Artifacts,
}

impl Tree<'_> {
    fn text(&mut self, path: &str, route: &Route, text: String) -> Result<(), Fault> {
        let artifact = Artifact { path: path.into(), text, route: route.to_string() };
        self.artifacts.insert(artifact).map_err(|reason| Fault { path: path.to_owned(), reason: reason.to_string() })
    }

    /// Documents with a head that says where they come from.
    fn yaml(&mut self, path: &str, route: &Route, documents: &[Value]) -> Result<(), Fault> {
        let mut text = format!(
            "# Written by portgen {} for cluster {}. A change made here is lost.\n",
            env!("CARGO_PKG_VERSION"),
            self.plan.name,
        );
        for (position, document) in documents.iter().enumerate() {
            if position > 0 {
                text.push_str("---\n");
            }
            text.push_str(&to_yaml(document).map_err(|reason| Fault { path: path.to_owned(), reason })?);
        }
        self.text(path, route, text)
    }
}
