//! Values that bring a container which Pod Security `restricted` refuses, whatever else is set.

use serde_json::Value;

use crate::finding::{Finding, Place, Route, Rule, Severity, clause, shown};
use crate::plan::{Gateway, Plan, PodSecurity};

pub static RULE: Rule = Rule {
    name: "container-not-restricted",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("container_not_restricted.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.pod_security == PodSecurity::Restricted) {
        for path in &gateway.chart.profile.container_lists {
            let list = gateway.value(path).and_then(Value::as_array);
            for (position, container) in list.into_iter().flatten().enumerate() {
                let Some(help) = fault(container) else { continue };
                let route = path.split('.').fold(gateway.route.key("values"), |route, key| route.key(key)).index(position);
                let name = shown(container["name"].as_str().unwrap_or("without a name"));
                let message = format!("container `{name}` does not pass Pod Security `restricted`, which its namespace enforces");
                findings.push(Finding::new(&RULE, Place::Value(route), message, help));
            }
        }
        for path in &gateway.chart.profile.volume_lists {
            let list = gateway.value(path).and_then(Value::as_array);
            for (position, volume) in list.into_iter().flatten().enumerate() {
                let Some(kind) = refused_volume(volume) else { continue };
                let route = path.split('.').fold(gateway.route.key("values"), |route, key| route.key(key)).index(position);
                let message = format!("a `{}` volume does not pass Pod Security `restricted`, which its namespace enforces", shown(kind));
                let help = "use a volume that is no part of the node, such as `emptyDir` or `persistentVolumeClaim`";
                findings.push(Finding::new(&RULE, Place::Value(route), message, help));
            }
        }
        for container in &gateway.chart.profile.not_restricted {
            let mut routes = container.when.iter().map(|(path, value)| written(gateway, path, value));
            let Some(Some(route)) = routes.next() else { continue };
            if routes.any(|route| route.is_none()) {
                continue;
            }
            findings.push(Finding::new(
                &RULE,
                Place::Value(route),
                format!(
                    "container `{}` cannot pass Pod Security `restricted`, which its namespace enforces: {}",
                    container.container,
                    clause(&container.why),
                ),
                container.instead.trim_end_matches('.').to_owned(),
            ));
        }
    }
}

/// What of a container that `values` bring keeps it from being restricted; the pod's own context covers the rest.
fn fault(container: &Value) -> Option<&'static str> {
    let context = &container["securityContext"];
    let list = |pointer: &str| context.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ports = container["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let seccomp = &context["seccompProfile"]["type"];
    if ports.iter().any(|port| port["hostPort"].as_u64().is_some_and(|port| port > 0)) {
        Some("take `hostPort` out: Pod Security `baseline` refuses it, too")
    } else if context["privileged"] == true || context["allowPrivilegeEscalation"] != false {
        Some("set `securityContext.allowPrivilegeEscalation: false`")
    } else if !list("/capabilities/drop").iter().any(|name| name == "ALL") {
        Some("set `securityContext.capabilities.drop: [ALL]`")
    } else if list("/capabilities/add").iter().any(|name| name != "NET_BIND_SERVICE") {
        Some("add no capability but `NET_BIND_SERVICE`")
    } else if context["runAsUser"] == 0 || context["runAsNonRoot"] == false {
        Some("run it as another user than root")
    } else if !seccomp.is_null() && seccomp != "RuntimeDefault" && seccomp != "Localhost" {
        Some("set `seccompProfile.type: RuntimeDefault`, or leave it to the pod")
    } else {
        None
    }
}

/// The volumes that `restricted` lets a pod have.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// The type of a volume that `restricted` refuses.
fn refused_volume(volume: &Value) -> Option<&str> {
    let kinds = volume.as_object()?.keys().map(String::as_str);
    kinds.filter(|kind| *kind != "name").find(|kind| !VOLUMES.contains(kind))
}

/// Where `values` sets this path to this value; portgen itself never does.
fn written(gateway: &Gateway, path: &str, wanted: &Value) -> Option<Route> {
    let mut route = gateway.route.key("values");
    let mut keys = path.split('.');
    let mut value = gateway.values.get(keys.next()?)?;
    route = route.key(path.split('.').next()?);
    for key in keys {
        value = value.get(key)?;
        route = route.key(key);
    }
    (value == wanted).then_some(route)
}
