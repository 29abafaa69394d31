//! Charts as data: what a Helm chart listens on, runs as, can express and ignores.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::grammar::ChartVersion;
use crate::source::{FileId, compose};

/// One chart's folder: its profile, its values template, and its keys when someone asks.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Facts about the chart.
    pub profile: Profile,
    /// The text of `values.yaml.j2`.
    pub template: String,
    keys: String,
}

/// Facts about a chart, from its `profile.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// What the document describes.
    pub kind: Kind,
    /// The name a spec uses; the folder's name.
    pub name: String,
    /// The name people use: `Kong`.
    pub display_name: String,
    /// Where Helm finds it.
    pub chart: Reference,
    /// What it listens on unless told otherwise.
    pub target_ports: TargetPorts,
    /// What its containers run as.
    pub security: Security,
    /// Why the image allows only its own user.
    #[serde(default)]
    pub uid_reason: Option<String>,
    /// Why the root file system cannot be read-only.
    #[serde(default)]
    pub read_only_root_filesystem_reason: Option<String>,
    /// The labels of its pods, beside `app.kubernetes.io/instance`.
    pub selector_labels: BTreeMap<String, String>,
    /// How a release gives its objects their names.
    pub name_rule: NameRule,
    /// What the rule adds to the release.
    pub name_suffix: String,
    /// The longest release name with which every object's name still fits.
    pub release_name_max: usize,
    /// The workload's name, with `<fullname>` for what the rule gives.
    pub workload_name: String,
    /// The proxy Service's name, likewise.
    pub service_name: String,
    /// What its values can say.
    pub express: Express,
    /// Every other port it takes in the node's network namespace.
    pub host_network_ports: Vec<ExtraPort>,
    /// Containers that cannot pass Pod Security `restricted`, and when.
    #[serde(default)]
    pub not_restricted: Vec<NotRestricted>,
    /// What an operator must know under hostNetwork.
    #[serde(default)]
    pub host_network_caveat: Option<String>,
    /// What an operator must know.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// An object whose name no release changes, so that a namespace holds one.
    #[serde(default)]
    pub one_per_namespace: Option<OnePerNamespace>,
    /// The values that take containers of one's own, by dotted path.
    #[serde(default)]
    pub container_lists: Vec<String>,
    /// The values that take volumes of one's own, by dotted path.
    #[serde(default)]
    pub volume_lists: Vec<String>,
}

/// A sentence for the README of a tree; `<release>` stands for the release's name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The sentence.
    pub text: String,
    /// When it concerns a gateway; always when absent.
    #[serde(default)]
    pub when: Option<When>,
}

/// When a note concerns a gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// It runs in the node's network namespace.
    HostNetwork,
    /// It serves HTTP/3.
    Http3,
    /// It has layer-4 listeners.
    Udp,
    /// It is autoscaled.
    Scaled,
    /// The spec leaves this value alone.
    ValueUnset(String),
}

/// An object whose name no release changes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnePerNamespace {
    /// What it is: `ConfigMap apisix.yaml`.
    pub object: String,
    /// The value that gives a release one of its own.
    pub unless_value: String,
}

/// The version of a profile's format.
#[derive(Debug, Clone, Copy, Deserialize)]
pub enum ApiVersion {
    /// The only version so far.
    #[serde(rename = "portgen/v1alpha1")]
    V1Alpha1,
}

/// What a profile describes.
#[derive(Debug, Clone, Copy, Deserialize)]
pub enum Kind {
    /// A Helm chart.
    Chart,
}

/// Where Helm finds a chart.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// The repository's address.
    pub repository: String,
    /// The chart's name there.
    pub name: String,
    /// The version the profile was written for.
    pub version: String,
    /// The gateway's own version.
    pub app_version: String,
}

/// What a chart listens on unless told otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetPorts {
    /// Plain TCP.
    pub http: u16,
    /// TLS over TCP.
    pub https: u16,
    /// QUIC over UDP, where the gateway speaks it.
    pub http3: Option<u16>,
}

/// What a chart's containers run as.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Security {
    /// The user's number.
    pub run_as_user: u32,
    /// The group's number.
    pub run_as_group: u32,
    /// Whether the root file system is read-only.
    pub read_only_root_filesystem: bool,
    /// Whether the image runs under no other user.
    pub uid_fixed: bool,
}

/// How a release gives its objects their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameRule {
    /// `<release>-<suffix>`, always.
    Suffix,
    /// The release alone when it holds the suffix, `<release>-<suffix>` otherwise.
    Fullname,
}

/// What a chart's values can say.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Express {
    /// hostNetwork at all.
    pub host_network: bool,
    /// A port of the node for each listener.
    #[serde(default)]
    pub host_port: bool,
    /// The address of the node beside it.
    #[serde(default, rename = "hostIP")]
    pub host_ip: bool,
    /// `ipFamilies` and `ipFamilyPolicy` on the proxy Service.
    pub ip_families: bool,
    /// UDP ports on the proxy Service.
    pub udp_on_service: bool,
    /// HTTP/3.
    pub http3: bool,
    /// Why not HTTP/3.
    #[serde(default, rename = "http3Reason")]
    pub http3_reason: Option<String>,
    /// Whether QUIC listens on the number of the HTTPS listener.
    #[serde(rename = "http3SharesHttps")]
    pub http3_shares_https: bool,
    /// The protocols of its layer-4 listeners.
    pub streams: Vec<String>,
    /// The listeners of which one must be there for layer-4 listeners to work.
    pub streams_need: Vec<String>,
    /// Whether it listens on IPv6.
    #[serde(rename = "listenIPv6")]
    pub listen_ipv6: bool,
    /// Whether its layer-4 listeners do.
    #[serde(rename = "streamsListenIPv6")]
    pub streams_listen_ipv6: bool,
}

/// A port that a gateway's process takes beside those of the spec.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtraPort {
    /// Its number.
    pub port: u16,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// What listens there.
    pub what: String,
    /// Whether it is a container port, which the scheduler reserves on the node.
    pub declared: bool,
    /// The value that moves it.
    #[serde(default)]
    pub path: Option<String>,
    /// The listener that takes this port over where there is one: `http`, `https`.
    #[serde(default)]
    pub unless_listener: Option<String>,
}

/// A container that Pod Security `restricted` refuses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRestricted {
    /// Its name.
    pub container: String,
    /// The values that bring it, by dotted path; all must hold.
    pub when: BTreeMap<String, serde_json::Value>,
    /// Why it is refused.
    pub why: String,
    /// What to do instead.
    pub instead: String,
}

/// Which values a chart honours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Dotted paths; `.**` at the end takes everything below.
    pub honoured: Vec<String>,
    /// Paths that look right, and what to write instead.
    #[serde(default)]
    pub ignored: BTreeMap<String, String>,
    /// Paths that the spec decides, and the field that does.
    #[serde(default)]
    pub owned: BTreeMap<String, String>,
}

/// The charts of one run: the built-in ones and those of a folder.
#[derive(Debug, Clone, Default)]
pub struct Charts(BTreeMap<String, Chart>);

macro_rules! built_in {
    ($($name:literal),*) => {
        [$((
            $name,
            include_str!(concat!("../templates/charts/", $name, "/profile.yaml")),
            include_str!(concat!("../templates/charts/", $name, "/values.yaml.j2")),
            include_str!(concat!("../templates/charts/", $name, "/keys.yaml")),
        )),*]
    };
}

impl Charts {
    /// The names of the built-in charts.
    pub const BUILT_IN: [&'static str; 2] = ["apisix", "kong"];

    /// The built-in charts among `wanted`: a run pays only for those it uses.
    ///
    /// # Panics
    /// Never: a test reads every built-in folder.
    #[must_use]
    pub fn built_in(wanted: impl Fn(&str) -> bool) -> Self {
        let mut charts = Self::default();
        for (name, profile, template, keys) in built_in!("apisix", "kong") {
            if wanted(name) {
                charts.add(profile, template, keys).expect("the built-in profiles are read by a test");
            }
        }
        charts
    }

    /// Adds the folder of a chart, in place of one of the same name; gives the name.
    ///
    /// # Errors
    /// What is wrong with `profile.yaml`, in a sentence.
    pub fn add(&mut self, profile: &str, template: &str, keys: &str) -> Result<String, String> {
        let profile: Profile = read(profile).map_err(|reason| format!("profile.yaml: {reason}"))?;
        profile.fault().map_or(Ok(()), |field| {
            Err(format!("profile.yaml: `{field}` holds what cannot stand in a command or a table"))
        })?;
        let name = profile.name.clone();
        self.0.insert(name.clone(), Chart { profile, template: template.to_owned(), keys: keys.to_owned() });
        Ok(name)
    }

    /// The chart with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Chart> {
        self.0.get(name)
    }

    /// The names a spec may use.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let added = self.0.keys().map(String::as_str);
        added.chain(Self::BUILT_IN.into_iter().filter(|name| !self.0.contains_key(*name)))
    }
}

impl Chart {
    /// Which values the chart honours.
    ///
    /// # Errors
    /// What is wrong with `keys.yaml`, in a sentence.
    pub fn keys(&self) -> Result<Keys, String> {
        read(&self.keys).map_err(|reason| format!("keys.yaml: {reason}"))
    }
}

impl Profile {
    /// The first field that would reach a shell line or a table of the README with more than a name in it.
    fn fault(&self) -> Option<&'static str> {
        let plain = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let address =
            self.chart.repository.strip_prefix("https://").or_else(|| self.chart.repository.strip_prefix("oci://"));
        let fields = [
            ("name", plain(&self.name, "-")),
            ("displayName", plain(&self.display_name, " .-")),
            ("chart.repository", address.is_some_and(|address| plain(address, "./:_-~"))),
            ("chart.name", plain(&self.chart.name, "-_")),
            ("chart.version", self.chart.version.parse::<ChartVersion>().is_ok()),
            ("chart.appVersion", plain(&self.chart.app_version, ".-+")),
            ("nameSuffix", plain(&self.name_suffix, "-")),
            ("workloadName", plain(&self.workload_name.replace("<fullname>", "x"), "-")),
            ("serviceName", plain(&self.service_name.replace("<fullname>", "x"), "-")),
        ];
        fields.into_iter().find(|(_, sound)| !sound).map(|(field, _)| field)
    }

    /// The name of the proxy Service of a release.
    #[must_use]
    pub fn service(&self, release: &str) -> String {
        self.service_name.replace("<fullname>", &self.fullname(release))
    }

    /// The name of the Deployment of a release.
    #[must_use]
    pub fn workload(&self, release: &str) -> String {
        self.workload_name.replace("<fullname>", &self.fullname(release))
    }

    fn fullname(&self, release: &str) -> String {
        match self.name_rule {
            NameRule::Fullname if release.contains(&self.name_suffix) => release.to_owned(),
            NameRule::Fullname | NameRule::Suffix => format!("{release}-{}", self.name_suffix),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    let node = compose(text, FileId(0))
        .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))?;
    serde_json::from_value(node.to_json()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_folder_reads() {
        let charts = Charts::built_in(|_| true);
        for name in Charts::BUILT_IN {
            let chart = charts.get(name).unwrap();
            assert_eq!(chart.profile.name, name);
            let keys = chart.keys().unwrap();
            assert!(!keys.honoured.is_empty() && !keys.owned.is_empty());
        }
    }
}
