//! Groups of like nodes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Count;
use crate::grammar::{Address, InterfaceName, LabelKey, LabelValue};

/// A group of like nodes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePool {
    /// The labels that select its nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<LabelKey, LabelValue>,
    /// The tolerations its taints ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The operating system of its nodes.
    pub os: Os,
    /// The interfaces clients come in by; all of them when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceName>,
    /// How many nodes it has; the number of `addresses` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// The addresses of its nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
}

/// A pod's toleration, as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key; every taint when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<LabelKey>,
    /// How the value is compared; `Equal` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<LabelValue>,
    /// The taint's effect; every effect when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration compares a taint's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The value must be equal.
    Equal,
    /// Any value.
    Exists,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away if they can.
    PreferNoSchedule,
    /// Running pods leave, too.
    NoExecute,
}

/// An operating system, by release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Os {
    /// Debian 12.
    #[serde(rename = "debian-12")]
    Debian12,
    /// Debian 13.
    #[serde(rename = "debian-13")]
    Debian13,
    /// Ubuntu 22.04 LTS.
    #[serde(rename = "ubuntu-22.04")]
    Ubuntu2204,
    /// Ubuntu 24.04 LTS.
    #[serde(rename = "ubuntu-24.04")]
    Ubuntu2404,
    /// RHEL 8 and its rebuilds.
    #[serde(rename = "rhel-8")]
    Rhel8,
    /// RHEL 9 and its rebuilds.
    #[serde(rename = "rhel-9")]
    Rhel9,
    /// RHEL 10 and its rebuilds.
    #[serde(rename = "rhel-10")]
    Rhel10,
    /// Flatcar Container Linux.
    #[serde(rename = "flatcar")]
    Flatcar,
    /// Talos Linux.
    #[serde(rename = "talos")]
    Talos,
}
