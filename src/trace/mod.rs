//! One packet's way to a gateway: through the rules that portgen writes, read back from their files, and through
//! whoever serves the Service, hook by hook.

mod addresses;
mod answer;
mod cilium;
mod cloud;
mod hooks;
mod json;
mod listeners;
mod mermaid;
mod netfilter;
mod packet;
mod proxy;
mod question;
mod service;
mod text;
mod walker;
mod world;

pub use json::json;
pub use mermaid::mermaid;
pub use question::{Unknown, destination};
pub use text::text;

use std::net::IpAddr;

use crate::grammar::{DnsLabel, Family, Port};
use crate::output::Fault;
use crate::output::node::{self, NodeFile};
use crate::plan::{Plan, Protocol};
use walker::Walker;
use world::World;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who connects.
    pub origin: Origin,
    /// To whom.
    pub destination: Destination,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address of a client; an example when absent.
    pub source: Option<IpAddr>,
    /// Where the gateways' pods are.
    pub pods: Pods,
    /// The gateway that is to answer; any when absent.
    pub gateway: Option<DnsLabel>,
}

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A machine outside of the cluster.
    Client,
    /// The node that is asked, or that has the address.
    Node,
    /// Another node of its pool.
    OtherNode,
    /// A pod of that node.
    Pod,
    /// A pod of another node.
    OtherPod,
    /// The gateway's own pod.
    GatewayPod,
}

/// Where the gateways' pods are, as the node that is asked sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pods {
    /// On the node itself.
    Here,
    /// On another node.
    Elsewhere,
    /// Nowhere: the Services have no endpoints.
    Nowhere,
    /// Nowhere, and there are no Services either.
    NoService,
}

/// What a packet is sent to.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The pool whose node has the address, or to whose node the network brings it.
    pub pool: DnsLabel,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Port,
}

impl Destination {
    /// The family of its address.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}

/// The way a packet went.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What to know of the addresses in it.
    pub notes: Vec<String>,
    /// Who sent it, and to whom.
    pub flow: Flow,
    /// Every step, in order.
    pub hops: Vec<Hop>,
    /// How it ended.
    pub ending: Ending,
    /// The gateway that was to answer.
    wanted: Option<DnsLabel>,
}

/// A packet's first addresses and ports.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Who sent it, in words.
    pub sender: &'static str,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// From where.
    pub source: IpAddr,
    /// To where.
    pub destination: IpAddr,
    /// To which port.
    pub port: u16,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Hop {
    /// On which machine.
    pub machine: &'static str,
    /// The hook, or what stands for one.
    pub hook: &'static str,
    /// The priority there, where the kernel has one.
    pub priority: Option<i16>,
    /// Whose step it is.
    pub owner: String,
    /// What matched, or why nothing did: a rule as it is written, or words of portgen.
    pub matched: String,
    /// What changed.
    pub changed: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What the sender meets.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// The page that has more: a strategy.
    pub page: Option<&'static str>,
}

/// What the sender of a packet meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A gateway answers.
    Arrives {
        /// Which.
        gateway: DnsLabel,
        /// At which of its ports.
        port: u16,
        /// Whose address it sees.
        sees: Seen,
        /// That address.
        source: IpAddr,
    },
    /// It is told at once that nobody is there.
    Refused,
    /// Nobody says anything: a timeout.
    Dropped,
    /// A connection that was accepted ends at once.
    Reset,
    /// It is for a machine that the spec does not speak of, and goes there as it was sent.
    Passes {
        /// Whose address that machine sees.
        sees: Seen,
    },
}

/// Whose address a gateway sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The client's.
    Client,
    /// A node's.
    Node,
    /// A pod's.
    Pod,
    /// A loopback address.
    Loopback,
    /// A load balancer's own.
    Balancer,
    /// The address that was asked.
    Asked,
}

impl Trace {
    /// Whether the gateway that was meant got the packet.
    #[must_use]
    pub fn arrived(&self) -> bool {
        match &self.ending.verdict {
            Verdict::Arrives { gateway, .. } => self.wanted.as_ref().is_none_or(|wanted| wanted == gateway),
            _ => false,
        }
    }
}

/// Walks a packet through what a plan renders to.
///
/// # Errors
/// A fault of portgen: a file that does not read back.
pub fn walk(plan: &Plan, question: &Question) -> Result<Trace, Fault> {
    let pool = &question.destination.pool;
    let files = plan.nodes.get(pool).map(|node| node::files(plan, pool, node).map_err(world::fault));
    walk_files(plan, &files.transpose()?.unwrap_or_default(), question)
}

/// Walks a packet through these files of its node.
///
/// # Errors
/// A file that portgen would not have written.
pub fn walk_files(plan: &Plan, files: &[NodeFile], question: &Question) -> Result<Trace, Fault> {
    let world = World::new(plan, files, question)?;
    let mut walker = Walker::new(&world);
    let (flow, ending) = walker.send(question);
    Ok(Trace { notes: world.notes.clone(), flow, hops: walker.hops, ending, wanted: question.gateway.clone() })
}
