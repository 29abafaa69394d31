//! A packet as rules see it: its addresses, the bytes from its transport header on, and what netfilter knows of it.

use std::net::IpAddr;

use crate::grammar::{DnsLabel, Family, InterfaceName};
use crate::plan::Protocol;

/// A packet on its way.
#[derive(Debug, Clone)]
pub struct Packet {
    /// From where.
    pub source: IpAddr,
    /// To where.
    pub destination: IpAddr,
    /// What its header is.
    pub kind: Kind,
    /// The bytes from the transport header on.
    header: Vec<u8>,
    /// The interface it came in by.
    pub came: Option<Interface>,
    /// The interface it goes out by.
    pub leaves: Option<Interface>,
    /// Its connection, once tracking has seen it.
    pub connection: Option<Connection>,
    /// The zone tracking is to look in.
    pub zone: u16,
    /// Whether it is an answer.
    pub answer: bool,
    /// Whether kube-proxy or the port map has marked it for masquerading.
    pub marked: bool,
    /// Whether a node has put its own address in the place of its source.
    pub masqueraded: bool,
    /// Who changed its destination so that answers find back.
    pub translated: Translated,
    /// The gateway whose pod was chosen for it.
    pub gateway: Option<DnsLabel>,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A datagram or a segment.
    Transport(Protocol),
    /// An ICMP error: port unreachable.
    Refusal,
}

/// By which way a packet came or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interface {
    /// From the node to itself.
    Loopback,
    /// Where clients and other nodes are; its name, where the pool names some.
    Wire(Option<InterfaceName>),
    /// To a pod.
    Pod,
}

/// What connection tracking noted of the first packet.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The port it was opened to.
    pub port: u16,
    /// The zone it is in.
    pub zone: u16,
}

/// Who changed a packet's destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Translated {
    /// Nobody.
    No,
    /// netfilter's NAT: connection tracking undoes it.
    Nat,
    /// IPVS, which undoes it itself, and saw this port.
    Ipvs(u16),
}

/// A port that no rule asks for.
const SOURCE_PORT: u16 = 50_000;

impl Interface {
    /// Its name, as rules compare it.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Loopback => Some("lo"),
            Self::Wire(name) => name.as_ref().map(InterfaceName::as_str),
            Self::Pod => None,
        }
    }

    /// Whether an interface has this name.
    pub fn is(interface: Option<&Self>, name: &InterfaceName) -> bool {
        interface.and_then(Self::name) == Some(name.as_str())
    }
}

fn segment(protocol: Protocol, source: u16, destination: u16) -> Vec<u8> {
    // A checksum that is there: UDP over IPv4 knows one that is not, 0.
    let (length, checksum) = match protocol {
        Protocol::TCP => (20, 16),
        Protocol::UDP => (8, 6),
    };
    let mut bytes = vec![0; length];
    bytes[..2].copy_from_slice(&source.to_be_bytes());
    bytes[2..4].copy_from_slice(&destination.to_be_bytes());
    bytes[checksum..checksum + 2].copy_from_slice(&[0xff, 0xff]);
    bytes
}

/// An ICMP header is 8 bytes long; the header of the quoted packet follows.
const QUOTE: usize = 8;

impl Packet {
    /// The first packet of a connection.
    pub fn new(protocol: Protocol, source: IpAddr, destination: IpAddr, port: u16) -> Self {
        Self {
            source,
            destination,
            kind: Kind::Transport(protocol),
            header: segment(protocol, SOURCE_PORT, port),
            came: None,
            leaves: None,
            connection: None,
            zone: 0,
            answer: false,
            marked: false,
            masqueraded: false,
            translated: Translated::No,
            gateway: None,
        }
    }

    /// The same as the next machine sees it.
    pub fn on_the_next_machine(&self, came: Interface) -> Self {
        let mut packet = Self {
            gateway: self.gateway.clone(),
            masqueraded: self.masqueraded,
            came: Some(came),
            ..Self::new(self.protocol(), self.source, self.destination, self.port())
        };
        packet.header.clone_from(&self.header);
        packet
    }

    /// An answer to it from this port.
    pub fn answer(&self, from: u16) -> Self {
        Self {
            header: segment(self.protocol(), from, SOURCE_PORT),
            answer: true,
            ..Self::new(self.protocol(), self.destination, self.source, from)
        }
    }

    /// An ICMP error about it, which quotes it with this destination port.
    pub fn refusal(&self, port: u16) -> Self {
        let number = match self.protocol() {
            Protocol::TCP => 6,
            Protocol::UDP => 17,
        };
        let mut header = vec![0; QUOTE];
        match self.family() {
            Family::IPv4 => {
                let mut ip = vec![0; 20];
                (ip[0], ip[9]) = (0x45, number);
                header.extend(ip);
            }
            Family::IPv6 => {
                let mut ip = vec![0; 40];
                (ip[0], ip[6]) = (0x60, number);
                header.extend(ip);
            }
        }
        header.extend(segment(self.protocol(), SOURCE_PORT, port));
        Self { kind: Kind::Refusal, header, ..self.answer(port) }
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.destination)
    }

    /// Its protocol, or that of the packet an error quotes.
    pub fn protocol(&self) -> Protocol {
        match self.kind {
            Kind::Transport(protocol) => protocol,
            Kind::Refusal => {
                let number = match self.family() {
                    Family::IPv4 => self.header[QUOTE + 9],
                    Family::IPv6 => self.header[QUOTE + 6],
                };
                if number == 17 { Protocol::UDP } else { Protocol::TCP }
            }
        }
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.header[at], self.header[at + 1]])
    }

    /// Its destination port; in an error that of the packet it quotes.
    pub fn port(&self) -> u16 {
        match (self.kind, self.family()) {
            (Kind::Transport(_), _) => self.word(2),
            (Kind::Refusal, Family::IPv4) => self.word(QUOTE + 22),
            (Kind::Refusal, Family::IPv6) => self.word(QUOTE + 42),
        }
    }

    /// Its source port; `None` for an error.
    pub fn source_port(&self) -> Option<u16> {
        matches!(self.kind, Kind::Transport(_)).then(|| self.word(0))
    }

    /// Sets the destination port.
    pub fn set_port(&mut self, port: u16) {
        self.set(16, 16, port);
    }

    /// Sets the source port.
    pub fn set_source_port(&mut self, port: u16) {
        self.set(0, 16, port);
    }

    /// Bits behind the transport header's first; portgen's rules ask for whole bytes.
    pub fn bits(&self, offset: u16, length: u8) -> Option<u16> {
        let at = usize::from(offset / 8);
        match (offset % 8, length) {
            (0, 8) => self.header.get(at).copied().map(u16::from),
            (0, 16) => (self.header.len() > at + 1).then(|| self.word(at)),
            _ => None,
        }
    }

    /// Sets two bytes behind the transport header's first.
    pub fn set(&mut self, offset: u16, length: u8, value: u16) {
        let at = usize::from(offset / 8);
        if (offset % 8, length) == (0, 16)
            && let Some(bytes) = self.header.get_mut(at..at + 2)
        {
            bytes.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// What has become of an earlier state of it, in words.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut say = |what: &str, from: String, to: String| {
            if from != to {
                changes.push(format!("{what} {from} → {to}"));
            }
        };
        let word = match self.protocol() {
            Protocol::TCP => "tcp",
            Protocol::UDP => "udp",
        };
        let quoted = if self.kind == Kind::Refusal { "quoted " } else { "" };
        say("source", before.source.to_string(), self.source.to_string());
        say("destination", before.destination.to_string(), self.destination.to_string());
        say(&format!("{quoted}{word} dport"), before.port().to_string(), self.port().to_string());
        if let (Some(from), Some(to)) = (before.source_port(), self.source_port()) {
            say(&format!("{word} sport"), from.to_string(), to.to_string());
        }
        say("conntrack zone", before.zone.to_string(), self.zone.to_string());
        changes
    }
}
