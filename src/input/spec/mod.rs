//! What a user writes: the spec as serde reads it and as the JSON Schema describes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::DnsLabel;

mod bounded;
mod cloud;
mod cluster;
mod distribution;
mod exposure;
mod gateway;
mod node_pool;
mod proxy;

pub use bounded::*;
pub use cloud::*;
pub use cluster::*;
pub use distribution::*;
pub use exposure::*;
pub use gateway::*;
pub use node_pool::*;
pub use proxy::*;

/// One cluster: facts about it and its nodes, and the intent for each gateway.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "portgen cluster spec")]
pub struct Spec {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// What the document describes.
    pub kind: Kind,
    /// What it is called.
    pub metadata: Metadata,
    /// Base specs that this one is laid over, in order, by JSON Merge Patch (RFC 7386); paths relative to this file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<String>,
    /// Facts about the cluster.
    pub cluster: Cluster,
    /// Groups of like nodes, by name.
    #[schemars(extend("minProperties" = 1))]
    pub node_pools: NonEmptyMap<NodePool>,
    /// Gateways and how clients reach them, by name.
    #[schemars(extend("minProperties" = 1))]
    pub gateways: NonEmptyMap<Gateway>,
}

/// The version of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only version so far.
    #[serde(rename = "portgen/v1alpha1")]
    V1Alpha1,
}

/// What a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// One Kubernetes cluster.
    Cluster,
}

/// What the spec is called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The cluster's name: the folder of the output.
    pub name: DnsLabel,
}

/// A map with at least one entry, sorted by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NonEmptyMap<T>(#[serde(deserialize_with = "not_empty")] pub BTreeMap<DnsLabel, T>)
where
    T: Serialize + for<'a> Deserialize<'a>;

fn not_empty<'de, D, T>(deserializer: D) -> Result<BTreeMap<DnsLabel, T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    let map = BTreeMap::<DnsLabel, T>::deserialize(deserializer)?;
    if map.is_empty() {
        return Err(serde::de::Error::custom("an empty map"));
    }
    Ok(map)
}
