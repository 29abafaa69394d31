//! What a migration says of its steps.

use std::fmt;

use super::{Gap, Note, What};

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "Make ready what the new way needs",
            Self::Open => "Open the new Service before the pods that run",
            Self::Doors => "Lead the nodes' ports the new way, one node after the other",
            Self::Move(from, to) => return write!(f, "Move the clients from {from} to {to}"),
            Self::Shut => "Take the old way off the nodes",
            Self::Pods => "Replace the pods",
            Self::Narrow => "Let each node's clients meet the pod of that node",
            Self::Finish => "Take away what only the old way needed, and write the new one into the spec",
        })
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceReplaced => {
                "both ways are one Service, which cannot be both: nobody is answered from this step until the new way answers and, where its address is another, until the clients' resolvers have let the old one go (the TTL of its record)"
            }
            Self::TwoTargets => {
                "the pods that come listen on other ports than those that go, and the Service knows one of them: as long as the rollout takes, connections that meet the other pods are refused"
            }
            Self::NodeByNode => {
                "nothing stands before the pods: on each node, clients are refused from the end of its old pod until its new one is ready; the other nodes answer"
            }
            Self::EveryNode => {
                "no node leads to the pods that come before it has the files of the next step: on every node, clients are refused from the end of its old pod until its files are in place, and once all pods are replaced nobody is answered; have the next step ready"
            }
            Self::FewerNodes { pods, nodes } => {
                let (pods, are) = if *pods == 1 { ("one pod".to_owned(), "is") } else { (format!("{pods} pods"), "are") };
                return write!(
                    f,
                    "a node without a pod no longer answers, and there {are} {pods} for {nodes} nodes: from this step on, clients of the other nodes are not answered; run as many pods as nodes before you start, or let names lead to nodes with a pod only"
                );
            }
            Self::Sockets => {
                "rules and the proxy's sockets change one after the other: on each node, new connections may be refused while its commands run; the other nodes answer"
            }
            Self::PortsOfKind => {
                "kind maps ports when it makes a cluster, and this one keeps those it has: until it is made anew from `kind/cluster.yaml`, nobody outside reaches what the step opens"
            }
            Self::OneEntry => {
                "Cilium keeps one entry for a port of a node's address: when a pod with `hostPort` comes or goes, its node may refuse clients until the agent has written the Service's entry again; the other nodes answer"
            }
            Self::SharedAddresses => {
                "both ways would give out the same addresses, and each is one Service's: nobody is answered from this step until the new way answers; with other addresses for the new way both stand side by side"
            }
            Self::Reloaded => {
                "a file leaves the nodes, so their unit stops and starts: on each node, new connections are refused while its commands run; the other nodes answer"
            }
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionsBreakAtDoors => {
                "Connections that are open at these ports break once, when their node is changed; new ones are answered."
            }
            Self::ConnectionsEndWithPods => "Connections that are open end with their pod, as in any rollout.",
            Self::ListenersOpen => {
                "As long as pods listen on the nodes without the node files of `hostNetwork`, whoever reaches a node reaches their own ports, past `allowFrom` and `limits`."
            }
            Self::SeesNode => "Until the last step any pod answers, and the gateway sees a node's address in place of the client's.",
            Self::AllowListGone => {
                "The new way comes without `allowFrom`: everyone may connect from the first step on. Filter before the gateway if that is not meant."
            }
            Self::LimitsGone => "The new way comes without `limits`: let the gateway limit its clients if that is not meant.",
            Self::CiliumRestarts => "Cilium's agents restart; connections go on meanwhile.",
            Self::MadeAnew => {
                "Who goes back has the old Service made anew: a load balancer may give it another address or name, which the names then have to follow."
            }
        })
    }
}
