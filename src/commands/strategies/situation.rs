//! What a cluster and those who run it ask for.

use serde_json::{Value, json};

use crate::cli;
use crate::plan::knowledge::{Form, SourceKept, meaning};
use crate::plan::{CloudProvider, Gateway, Plan, Strategy, TrafficPolicy};

/// What a cluster and those who run it ask for: said on the command line, read from the spec otherwise.
pub struct Situation {
    /// The cloud the nodes run in.
    pub cloud: Option<CloudProvider>,
    /// Whether files may be put on the nodes.
    pub node_access: bool,
    /// Whether a node may pause during an update.
    pub downtime: bool,
    /// Whether the gateway has to see the client's address.
    pub source_address: bool,
    /// Whether something in front can use any port.
    pub own_load_balancer: bool,
    /// Whether there are addresses besides the nodes' own.
    pub spare_addresses: bool,
    /// Whether routers take BGP sessions.
    pub bgp: bool,
}

impl Situation {
    /// What is said, laid over what a gateway's spec shows.
    pub fn of(plan: &Plan, gateway: &Gateway, said: &cli::Strategies) -> Self {
        let of_spec = match gateway.strategy {
            Strategy::CloudLoadBalancer { provider, .. } => Some(provider),
            _ => None,
        };
        let cloud = said.cloud.map(|cloud| match cloud {
            cli::Cloud::Aws => CloudProvider::Aws,
            cli::Cloud::Gcp => CloudProvider::Gcp,
            cli::Cloud::Azure => CloudProvider::Azure,
        });
        let announced = gateway.strategy.announced().map(|(announced, _)| announced);
        Self {
            cloud: cloud.or(of_spec),
            node_access: !said.no_node_access && gateway.pools.iter().all(|pool| plan.pools[pool].os.takes_files()),
            downtime: !said.no_downtime,
            source_address: said.source_address
                || gateway.needs.policy == Some(TrafficPolicy::Local)
                || meaning(Form::of(gateway)).source == SourceKept::Always,
            own_load_balancer: said.own_load_balancer,
            spare_addresses: said.spare_addresses || announced.is_some_and(|announced| !announced.addresses.is_empty()),
            bgp: said.bgp || announced.is_some_and(|announced| announced.bgp.is_some()),
        }
    }

    /// A phrase for each flag.
    pub fn phrases(&self) -> Vec<&'static str> {
        let say = |yes: bool, one: &'static str, other: &'static str| if yes { one } else { other };
        vec![
            match self.cloud {
                Some(CloudProvider::Aws) => "the nodes run in AWS",
                Some(CloudProvider::Gcp) => "the nodes run in Google Cloud",
                Some(CloudProvider::Azure) => "the nodes run in Azure",
                None => "the nodes run in no cloud",
            },
            say(self.node_access, "files may be put on them", "nothing may be put on them"),
            say(self.downtime, "a node may pause during an update", "no node may pause during an update"),
            say(
                self.source_address,
                "the gateway has to see the client's address",
                "the gateway may see a node's address",
            ),
            say(self.own_load_balancer, "a load balancer of your own is in front", "clients come directly"),
            say(
                self.spare_addresses,
                "there are addresses besides the nodes'",
                "there are no addresses but the nodes'",
            ),
            say(self.bgp, "routers take BGP sessions", "no router takes BGP sessions"),
        ]
    }

    /// The same for programs.
    pub fn told(&self) -> Value {
        json!({
            "cloud": self.cloud,
            "nodeAccess": self.node_access,
            "downtime": self.downtime,
            "sourceAddress": self.source_address,
            "ownLoadBalancer": self.own_load_balancer,
            "spareAddresses": self.spare_addresses,
            "bgp": self.bgp,
        })
    }
}
