//! What applying the changes of a tree does to what runs.

use serde_json::Value;

use super::metallb;
use super::objects::identity;
use crate::artifact::Artifacts;
use crate::compare::{Change, Committed, Kind};
use crate::source::{FileId, compose};

/// What applying each change does, in the order of the changes.
#[must_use]
pub fn effects(committed: &Committed, rendered: &Artifacts, changes: &[Change]) -> Vec<String> {
    let old = committed.iter().filter_map(|(path, text)| Some((path.as_path(), text.as_deref()?)));
    let new = rendered.iter().map(|artifact| (artifact.path.as_path(), artifact.text.as_str()));
    let of_metallb = |files: &mut dyn Iterator<Item = (&camino::Utf8Path, &str)>| -> Vec<Value> {
        files.filter(|(path, _)| path.starts_with("metallb")).flat_map(|(_, text)| documents(text)).collect()
    };
    let (old, new) = (of_metallb(&mut old.into_iter()), of_metallb(&mut new.into_iter()));
    let moved = handed_over(&old, &new);
    let of_change = |change: &Change| {
        let effect = effect(&change.path, change.kind == Kind::Removed);
        let text = committed.get(&change.path).and_then(Option::as_deref).unwrap_or_default();
        let here = if change.path.starts_with("metallb") { documents(text) } else { Vec::new() };
        let names: Vec<String> = moved
            .iter()
            .filter(|(gone, _)| here.iter().any(|object| identity(object) == identity(gone)))
            .map(|(gone, _)| {
                let (kind, name) = identity(gone);
                format!("{}/{name}", kind.to_lowercase())
            })
            .collect();
        if names.is_empty() {
            return effect.to_owned();
        }
        let delete = match change.kind {
            Kind::Removed => "kubectl delete -f of the old file".to_owned(),
            _ => format!("kubectl -n {} delete {}", metallb::NAMESPACE, names.join(" ")),
        };
        format!(
            "first {delete}: MetalLB refuses what takes over from it while it stands; until that is applied, its clients are interrupted, and an address that no loadBalancerIP names may change"
        )
    };
    changes.iter().map(of_change).collect()
}

/// The objects of a file; none of one that somebody else wrote and that is no YAML.
fn documents(text: &str) -> Vec<Value> {
    let all = text.split("\n---\n").map(|text| compose(text, FileId(0)).map(|node| node.to_json()));
    all.collect::<Result<_, _>>().unwrap_or_default()
}

/// Objects of MetalLB that another one takes over from under a name of its own: the pool with the same addresses, the
/// session with the same router. MetalLB has no two of them at once.
pub fn handed_over<'a>(old: &'a [Value], new: &'a [Value]) -> Vec<(&'a Value, &'a Value)> {
    let lacks = |objects: &[Value], one: &Value| objects.iter().all(|other| identity(other) != identity(one));
    let same = |one: &Value, other: &Value| {
        let field = |name: &str| !one["spec"][name].is_null() && one["spec"][name] == other["spec"][name];
        one["kind"] == other["kind"] && (field("addresses") || field("peerAddress"))
    };
    let gone = old.iter().filter(|object| lacks(new, object));
    gone.filter_map(|gone| Some((gone, new.iter().find(|object| lacks(old, object) && same(gone, object))?))).collect()
}

/// What applying a change to a file of the tree does to what runs; nothing prunes what leaves a tree.
fn effect(path: &camino::Utf8Path, removed: bool) -> &'static str {
    let folder = if path.starts_with("cilium/objects") { Some("objects") } else { path.iter().next() };
    match (folder, removed) {
        (Some("helm"), true) => "helm uninstall, as Roll back in the old tree's README says",
        (Some("manifests" | "metallb" | "objects"), true) => {
            "stays on the cluster until kubectl delete -f of the old file"
        }
        (Some("status"), true) => "the Service keeps its addresses until its status is patched or it is deleted",
        (Some("cilium" | "kube-apiserver" | "kube-proxy"), true) => "the setting stays until it is taken back by hand",
        (Some("kind"), true) => "the containers stay until kind delete cluster",
        (Some("k3s"), true) => {
            "the setting stays until the file is taken from /etc/rancher/k3s/config.yaml.d and k3s restarts"
        }
        (Some("nodes"), true) => {
            "stays on the nodes until this tree's Apply, or Roll back in the old tree's README, takes it away"
        }
        (Some("helm"), false) => "helm upgrade; a changed pod template rolls the pods",
        (Some("manifests"), false) => "kubectl apply; running pods stay",
        (Some("status"), false) => "kubectl patch of the status; an address that goes answers nobody at once",
        (Some("metallb" | "objects"), false) => "kubectl apply; a changed address or session interrupts its clients",
        (Some("cilium"), false) => "helm upgrade of Cilium; its agents restart",
        (Some("kube-apiserver"), false) => "the API server restarts; Services keep the node ports they have",
        (Some("kube-proxy"), false) => "kube-proxy restarts; its rules stay meanwhile",
        (Some("kind"), false) => {
            "nothing until kind delete cluster and kind create cluster; a cluster keeps what it was made with"
        }
        (Some("k3s"), false) => "k3s restarts with the setting; running pods stay",
        (Some("nodes"), false) => match path.extension().unwrap_or_default() {
            "nft" | "v4" | "v6" => {
                "reload of portgen.service; connections of a changed or removed port break, all others stay"
            }
            "conf" => "sysctl -p; takes effect for sockets bound from then on",
            _ => "daemon-reload; a proxy restarts, and its connections break",
        },
        _ => "nothing",
    }
}
