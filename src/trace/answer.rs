//! What is sent back: whoever asked must recognise it, so it goes through portgen's rules as well.

use super::hooks::Place;
use super::packet::{Packet, Translated};
use super::walker::{Entry, Met, Walker, ending};
use super::world::Side;
use super::{Ending, Verdict, netfilter};

/// What is sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Nothing that passes the node's rules.
    None,
    /// An answer of a process on the node.
    Process,
    /// An answer of a pod, or of another machine.
    Behind,
    /// A TCP reset of the node.
    Reset,
    /// An ICMP error of the node, port unreachable.
    Refusal,
}

impl Walker<'_> {
    /// Walks what is sent back through the node; gives how it ends for whoever asked.
    pub fn answered(&mut self, at: Side, entry: Entry, asked: &Packet, sent: &Packet, met: Met) -> Ending {
        // Connection tracking and IPVS undo what they did themselves.
        let undone = match (sent.translated, sent.connection) {
            (Translated::Nat, Some(connection)) => connection.port,
            (Translated::Ipvs(port), _) => port,
            _ => sent.port(),
        };
        let mut reply = match met.reply {
            Reply::None => return met.ending,
            Reply::Process | Reply::Behind | Reply::Reset => asked.answer(undone),
            Reply::Refusal => asked.refusal(undone),
        };
        reply.connection = sent.connection;
        let places: &[Place] = match (met.reply, entry) {
            // It answers itself, over its loopback.
            (Reply::Process | Reply::Reset | Reply::Refusal, Entry::Starts) => &[Place::Postrouting, Place::Input],
            (Reply::Behind, Entry::Starts) => &[Place::Input],
            _ => &[Place::Postrouting],
        };
        let world = self.world;
        for place in places {
            let Some(ruleset) = &world.ruleset else { break };
            for chain in ruleset.chains.iter().filter(|chain| place.has(chain)) {
                let before = reply.clone();
                let walked = netfilter::walk(ruleset, chain, &mut reply, &|address| world.is_local(at, address));
                let changed = reply.changes_since(&before);
                if let Some(rule) = walked.matched.last().filter(|_| !changed.is_empty()) {
                    let owner = format!("portgen, chain {}", chain.name);
                    let hook = match place {
                        Place::Input => "answer, input",
                        _ => "answer, postrouting",
                    };
                    self.hop(at.name(), (hook, Some(chain.priority)), owner, rule.to_string(), changed);
                }
            }
        }
        let from = reply.source_port().unwrap_or_else(|| reply.port());
        if from == asked.port() {
            return met.ending;
        }
        let why =
            format!("the answer comes from port {from}, and whoever asked port {} does not know it", asked.port());
        ending(Verdict::Dropped, why)
    }
}
