//! Every form tried on one gateway of a cluster: its exposure is swapped, the plan is made anew and every rule run.

use super::situation::Situation;
use super::swap::{self, Swapped};
use crate::chart::Charts;
use crate::check;
use crate::finding::{Finding, Place, Route, Severity};
use crate::input::spec::Spec;
use crate::plan::knowledge::{Feature, Form, NodeFiles, SourceKept, Verdict, deprecation, meaning, verdict};
use crate::plan::{self, Gateway, KubeProxyMode, Plan};

/// What became of a form on a gateway.
pub struct Judged {
    /// Which.
    pub form: Form,
    /// What the table says of it here.
    pub verdict: Verdict,
    /// Whether the gateway has it now.
    pub now: bool,
    /// Why it is out of the question, whatever is changed in the spec.
    pub barred: Option<String>,
    /// What has to change first.
    pub changes: Vec<Change>,
    /// What is asked for and it does not give, or what it needs and nobody has.
    pub unmet: Vec<String>,
    /// What else it costs.
    pub costs: Vec<String>,
}

/// Something that has to change first.
pub struct Change {
    /// The rule that says so; none for what no rule can see.
    pub rule: Option<&'static str>,
    /// What is in the way.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The order of what fits equally well: what asks least of others and gives most.
const PREFERENCE: [Form; 16] = [
    Form::CloudLoadBalancer,
    Form::CiliumBgp,
    Form::CiliumL2,
    Form::MetalLbBgp,
    Form::MetalLbL2,
    Form::PortRewrite,
    Form::CiliumNode,
    Form::HostNetworkRedirect,
    Form::HostNetworkDirect,
    Form::HostPort,
    Form::NodePortInRange,
    Form::NodePort,
    Form::SocketProxy,
    Form::ExternalIpsStatus,
    Form::ExternalIpsSpec,
    Form::NatRedirect,
];

impl Judged {
    /// Every form on a gateway, in the order of pages.
    pub fn all(spec: &Spec, charts: &Charts, plan: &Plan, gateway: &Gateway, situation: &Situation) -> Vec<Self> {
        let now = Form::of(gateway);
        let judge = |form: Form| {
            let Swapped { spec: swapped, lost } = swap::to(form, spec, gateway, situation);
            let other = plan::build(&swapped, charts);
            let verdict = verdict(form, plan.cluster.data_plane, &plan.cluster.families);
            let mut changes: Vec<Change> =
                check::inspect(&other).into_iter().filter(|finding| stands(finding, gateway)).map(Change::of).collect();
            changes.extend(range(form, &other, gateway));
            let unmet = unmet(form, gateway, situation);
            let costs = costs(form, verdict, plan, situation, &lost);
            let barred = barred(form, verdict, situation);
            Self { form, verdict, now: form == now, barred, changes, unmet, costs }
        };
        Form::ALL.into_iter().map(judge).collect()
    }

    /// The word in the table.
    pub fn word(&self) -> &'static str {
        match self.verdict {
            _ if self.barred.is_some() => "no",
            _ if !self.changes.is_empty() => "after a change",
            Verdict::NotProven(_) => "not proven",
            _ => "possible",
        }
    }

    /// The one that fits best: what is asked for comes first, then the fewest costs and changes, then the order of
    /// preference. None where every one is barred.
    pub fn best<'a>(judged: &'a [Self], situation: &Situation) -> Option<&'a Self> {
        let rank = |one: &Self| {
            // What is in front already does the rest.
            let first = situation.own_load_balancer && one.form == Form::NodePort;
            let preference = PREFERENCE.iter().position(|form| *form == one.form);
            (one.unmet.len(), one.costs.len() + one.changes.len(), !first, preference)
        };
        judged.iter().filter(|one| one.barred.is_none()).min_by_key(|one| rank(one))
    }
}

impl Change {
    fn of(finding: Finding) -> Self {
        Self { rule: Some(finding.rule.name), message: finding.message, help: finding.help }
    }
}

/// Whether a finding keeps this gateway from being exposed: an error that is not another gateway's.
fn stands(finding: &Finding, gateway: &Gateway) -> bool {
    let within = |place: &Place, route: &Route| match place {
        Place::Value(at) | Place::Key(at) => at.steps().starts_with(route.steps()),
        Place::Bytes(_) => false,
    };
    let elsewhere = within(&finding.place, &Route::of(["gateways"])) && !within(&finding.place, &gateway.route);
    let touched = finding.also.iter().any(|(place, _)| within(place, &gateway.route));
    // An entry of `accept` that another exposure has no use for is no obstacle.
    finding.severity() == Severity::Error && finding.rule.name != "unused-accept" && (!elsewhere || touched)
}

/// What no rule can see: the range of node ports is the API server's.
fn range(form: Form, other: &Plan, gateway: &Gateway) -> Option<Change> {
    let planned = &other.gateways[&gateway.name];
    let missing = planned.ports.values().find(|port| port.node_port != Some(port.port))?;
    (form == Form::NodePortInRange).then(|| Change {
        rule: None,
        message: format!("the range of node ports, {}, does not hold {}", other.cluster.node_port_range, missing.port),
        help: format!(
            "start the API server with `--service-node-port-range={}-32767` and say so in `cluster.nodePortRange`",
            missing.port
        ),
    })
}

/// Why nothing in the spec would help.
fn barred(form: Form, verdict: Verdict, situation: &Situation) -> Option<String> {
    match (form, verdict, situation.cloud) {
        (_, Verdict::Refused { reason, instead }, _) => Some(format!("{reason}; use {instead}")),
        (Form::CloudLoadBalancer, _, None) => {
            Some("no cloud is named; say `--cloud` if the nodes run in one".to_owned())
        }
        (Form::MetalLbL2 | Form::CiliumL2, _, Some(_)) => {
            Some("a cloud's network answers ARP by itself and brings such an address to no node".to_owned())
        }
        _ => None,
    }
}

/// What is asked for and a form does not give, or what it needs and nobody has, a phrase each.
fn unmet(form: Form, gateway: &Gateway, situation: &Situation) -> Vec<String> {
    let meaning = meaning(form);
    let mut told = Vec::new();
    if !situation.node_access && meaning.node_files != NodeFiles::None {
        told.push(format!("puts files on the nodes: {}", meaning.node_files.words()));
    }
    if !situation.downtime && !meaning.seamless_update {
        told.push("each node pauses while its pod is replaced".to_owned());
    }
    if situation.source_address && meaning.source == SourceKept::Never {
        told.push("the gateway sees a node's address, never the client's".to_owned());
    }
    if !situation.spare_addresses
        && matches!(form, Form::MetalLbL2 | Form::MetalLbBgp | Form::CiliumL2 | Form::CiliumBgp)
    {
        told.push("needs addresses besides the nodes' own (`--spare-addresses` if there are)".to_owned());
    }
    if !situation.bgp && matches!(form, Form::MetalLbBgp | Form::CiliumBgp) {
        told.push("needs routers that take BGP sessions (`--bgp` if they do)".to_owned());
    }
    if !situation.own_load_balancer && form == Form::NodePort {
        let ports: Vec<String> = gateway.ports.values().map(|port| port.port.to_string()).collect();
        told.push(format!(
            "clients do not find it at {} (`--own-load-balancer` if something in front leads them there)",
            ports.join(", ")
        ));
    }
    told
}

/// What a form costs besides, a phrase each.
fn costs(form: Form, verdict: Verdict, plan: &Plan, situation: &Situation, lost: &[&str]) -> Vec<String> {
    let meaning = meaning(form);
    let mut told = Vec::new();
    if let Verdict::NotProven(reason) = verdict {
        told.push(format!("not proven: {reason}"));
    }
    // Whatever is in front can keep sources out as well.
    let lost = lost.iter().filter(|field| !(situation.own_load_balancer && **field == "allowFrom"));
    told.extend(lost.map(|field| format!("`{field}` has no counterpart")));
    match form {
        Form::NodePortInRange => told.push(meaning.hands.to_owned()),
        Form::HostPort => {
            told.push("rules are written when a pod starts, and only then".to_owned());
            if plan.cluster.data_plane.kube_proxy() == Some(KubeProxyMode::Ipvs) {
                told.push(
                    "every node needs the program `iptables` (`portgen explain host-port-beside-ipvs`)".to_owned(),
                );
            }
        }
        Form::SocketProxy => told.push("every connection is made twice, by a proxy on the node".to_owned()),
        Form::ExternalIpsSpec => {
            let end = deprecation(Feature::ExternalIps);
            let what = if end.holds(plan.cluster.version) {
                end.phrase()
            } else {
                format!("{} from {} on", end.what, end.since)
            };
            told.push(format!("{what} ({})", end.source));
        }
        Form::ExternalIpsStatus => told.push(format!("needs {}", meaning.components)),
        _ => {}
    }
    told
}
