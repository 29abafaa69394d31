//! Distributions whose own configuration portgen writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A distribution whose own configuration portgen writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Distribution {
    /// Nodes that are containers on one machine, to try a spec.
    Kind {},
    /// k3s, with what it packs.
    K3s {
        /// The packaged components that stay; those that take ports or Services of a gateway are switched off unless said.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keep: Vec<K3sComponent>,
    },
}

/// A component that k3s packs and that wants 80, 443 or every LoadBalancer Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum K3sComponent {
    /// ServiceLB, also called klipper-lb: host ports on the nodes for every LoadBalancer Service without a class.
    ServiceLb,
    /// Traefik, with a LoadBalancer Service for 80 and 443.
    Traefik,
}
