//! Gateways that say who they are and whom they see, and clients that tell what became of a packet.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::{self, Machine};

/// How long to wait for what should come: longer than a SYN takes to be sent again.
pub const PATIENCE: Duration = Duration::from_secs(6);
/// How long to wait for what should not come.
pub const IMPATIENCE: Duration = Duration::from_millis(700);

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Tcp,
    Udp,
}

/// What a client met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The gateway answered, and saw this source.
    Answer(Source),
    /// Somebody else answered.
    Elsewhere,
    /// Somebody said no at once.
    Refused,
    /// Nobody said anything.
    Timeout,
    /// There was a connection, and it broke.
    Reset,
    /// What was sent arrived whole.
    Whole,
    /// The connection stands, and what was sent stopped on the way.
    Stalled,
    /// So many.
    Count(usize),
    /// Not the same at every port.
    Differs(String),
}

/// What a gateway says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its name.
    pub name: String,
    /// The port it listens on.
    pub port: u16,
    /// Whom it sees.
    pub source: Source,
}

/// Whose address a gateway saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Client,
    Node,
    Pod,
    Loopback,
    Other,
}

impl Source {
    fn of(address: IpAddr) -> Self {
        let is = |addresses: &[net::Addresses]| {
            addresses.iter().any(|&(v4, v6)| address == IpAddr::V4(v4) || address == IpAddr::V6(v6))
        };
        if is(&[net::CLIENT, net::CLIENT2]) {
            Self::Client
        } else if is(&net::NODES) || is(&net::POD_GATEWAYS) {
            Self::Node
        } else if is(&net::PODS) {
            Self::Pod
        } else if address.is_loopback() {
            Self::Loopback
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(source) => write!(f, "answer, sees {}", format!("{source:?}").to_lowercase()),
            Self::Elsewhere => f.write_str("another process answers"),
            Self::Refused => f.write_str("refused"),
            Self::Timeout => f.write_str("timeout"),
            Self::Reset => f.write_str("reset"),
            Self::Whole => f.write_str("whole"),
            Self::Stalled => f.write_str("stalls"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Differs(each) => write!(f, "not the same at every port: {each}"),
        }
    }
}

impl Outcome {
    /// What several met, where it is the same.
    pub fn of_all(met: &[Self]) -> Self {
        match met {
            [first, others @ ..] if others.iter().all(|other| other == first) => first.clone(),
            _ => Self::Differs(met.iter().map(Self::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Listeners that live as long as this does.
pub struct Gateway {
    /// What it says it is called.
    pub name: &'static str,
    stop: Arc<AtomicBool>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Gateway {
    /// Listens on ports of a machine, on both families; who asks is told `name`.
    pub fn listen(machine: &Machine, name: &'static str, ports: &[(Transport, u16)]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for &(transport, port) in ports {
            let stop = Arc::clone(&stop);
            let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            match transport {
                Transport::Tcp => {
                    let listener = machine.run(|| TcpListener::bind(address)).expect("a free port");
                    thread::spawn(move || accept(&Socket::from(listener), name, &stop));
                }
                Transport::Udp => {
                    for socket in machine.run(|| udp_sockets(port)) {
                        let stop = Arc::clone(&stop);
                        thread::spawn(move || echo(&socket, name, &stop));
                    }
                }
            }
        }
        Self { name, stop }
    }
}

/// A socket at each address of this machine: one at all of them would answer from another address than it was asked at.
fn udp_sockets(port: u16) -> Vec<UdpSocket> {
    let known = net::NODES.iter().chain(&net::POD_GATEWAYS).chain(&net::PODS).chain([&net::CLIENT2]);
    let loopback = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let addresses = known.chain([&loopback]).flat_map(|&(v4, v6)| [IpAddr::V4(v4), IpAddr::V6(v6)]);
    addresses.filter_map(|address| UdpSocket::bind((address, port)).ok()).collect()
}

/// How long a listener may sleep before it looks whether it is still wanted.
const NAP: Duration = Duration::from_millis(200);

fn accept(listener: &Socket, name: &'static str, stop: &Arc<AtomicBool>) {
    listener.set_read_timeout(Some(NAP)).expect("a timeout");
    listener.listen(1024).expect("a backlog");
    while !stop.load(Ordering::Relaxed) {
        if let Ok((stream, _)) = listener.accept() {
            let stream = TcpStream::from(stream);
            let stop = Arc::clone(stop);
            // A client that goes away ends its conversation, not the gateway.
            thread::spawn(move || serve(stream, name, &stop));
        }
    }
}

/// Answers lines: `who` with a name, the port and the peer's address, `get N` and `put N` with bytes, `bye` with the end.
fn serve(mut stream: TcpStream, name: &str, stop: &AtomicBool) -> io::Result<()> {
    let (peer, port) = (stream.peer_addr()?.ip().to_canonical(), stream.local_addr()?.port());
    stream.set_read_timeout(Some(NAP))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while !stop.load(Ordering::Relaxed) {
        match reader.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let (verb, count) = line.trim().split_once(' ').unwrap_or((line.trim(), "0"));
        let count: u64 = count.parse().unwrap_or(0);
        match verb {
            "get" => drop(io::copy(&mut io::repeat(b'x').take(count), &mut stream)?),
            "put" => {
                stream.set_read_timeout(Some(PATIENCE))?;
                io::copy(&mut reader.by_ref().take(count), &mut io::sink())?;
                stream.set_read_timeout(Some(NAP))?;
                writeln!(stream, "{name} {port} {peer}")?;
            }
            "bye" => break,
            "abort" => {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                break;
            }
            _ => writeln!(stream, "{name} {port} {peer}")?,
        }
        line.clear();
    }
    Ok(())
}

/// Answers datagrams: with a name, the port, the peer's address and as many bytes as came.
fn echo(socket: &UdpSocket, name: &str, stop: &AtomicBool) {
    socket.set_read_timeout(Some(NAP)).expect("a timeout");
    let port = socket.local_addr().expect("it is bound").port();
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let mut answer = format!("{name} {port} {}\n", peer.ip().to_canonical()).into_bytes();
            answer.resize(answer.len().max(length), b'.');
            // An answer that cannot be sent is a datagram lost: the client counts it.
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// A conversation with a gateway.
#[derive(Debug)]
pub struct Conversation {
    stream: TcpStream,
}

impl Conversation {
    /// Opens one from a machine.
    pub fn open(from: &Machine, to: SocketAddr, patience: Duration) -> Result<Self, Outcome> {
        from.run(|| Self::connect(to, patience))
    }

    /// Opens one from wherever this thread is.
    pub fn connect(to: SocketAddr, patience: Duration) -> Result<Self, Outcome> {
        let stream = TcpStream::connect_timeout(&to, patience).map_err(|error| failure(&error))?;
        Self::over(stream, patience)
    }

    /// Opens one from a port of the client's choice.
    pub fn open_from(from: &Machine, source_port: u16, to: SocketAddr, patience: Duration) -> Result<Self, Outcome> {
        from.run(|| {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
            socket.set_reuse_address(true).expect("reuse");
            let any: SocketAddr =
                if to.is_ipv4() { ([0; 4], source_port).into() } else { ([0_u16; 8], source_port).into() };
            socket.bind(&any.into()).expect("a free port");
            socket.connect_timeout(&to.into(), patience).map_err(|error| failure(&error))?;
            Self::over(socket.into(), patience)
        })
    }

    fn over(stream: TcpStream, patience: Duration) -> Result<Self, Outcome> {
        stream.set_read_timeout(Some(patience)).map_err(|error| failure(&error))?;
        stream.set_write_timeout(Some(patience)).map_err(|error| failure(&error))?;
        stream.set_nodelay(true).map_err(|error| failure(&error))?;
        Ok(Self { stream })
    }

    /// Asks who is there: a name, and whom it sees.
    pub fn who(&mut self) -> Result<Answer, Outcome> {
        let asked = writeln!(self.stream, "who").and_then(|()| self.line());
        asked.map_err(|error| broken(&error)).and_then(|line| said(&line))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\n") {
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Fetches so many bytes.
    pub fn get(&mut self, count: u64) -> Outcome {
        let fetched = writeln!(self.stream, "get {count}")
            .and_then(|()| io::copy(&mut (&self.stream).take(count), &mut io::sink()));
        match fetched {
            Ok(fetched) if fetched == count => Outcome::Whole,
            Ok(_) => Outcome::Reset,
            Err(error) => broken(&error),
        }
    }

    /// Sends so many bytes.
    pub fn put(&mut self, count: u64) -> Outcome {
        let sent = writeln!(self.stream, "put {count}")
            .and_then(|()| io::copy(&mut io::repeat(b'x').take(count), &mut self.stream))
            .and_then(|_| self.line());
        sent.map_or_else(|error| broken(&error), |_| Outcome::Whole)
    }

    /// Asks the gateway to end it: in good order, or with a reset.
    pub fn end(mut self, verb: &str) -> Outcome {
        let asked = writeln!(self.stream, "{verb}").and_then(|()| self.stream.read(&mut [0]));
        match asked {
            Ok(0) => Outcome::Whole,
            Ok(_) => Outcome::Stalled,
            Err(error) => broken(&error),
        }
    }

    /// Ends it with a reset, so that nothing of it is left.
    pub fn abort(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("linger");
    }
}

fn said(line: &str) -> Result<Answer, Outcome> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, port, peer] = words[..] else { return Err(Outcome::Stalled) };
    match (port.parse(), peer.parse()) {
        (Ok(port), Ok(peer)) => Ok(Answer { name: name.to_owned(), port, source: Source::of(peer) }),
        _ => Err(Outcome::Stalled),
    }
}

fn failure(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Outcome::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Outcome::Reset,
        // What a machine's own firewall drops, its own socket is told.
        _ if error.raw_os_error() == Some(nix::libc::EPERM) => Outcome::Timeout,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Outcome::Timeout,
        // Errors that a firewall may send in place of a refusal.
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::PermissionDenied => {
            Outcome::Refused
        }
        kind => panic!("a client met {kind:?}: {error}"),
    }
}

/// What a failure means once there was a connection.
fn broken(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Outcome::Stalled,
        _ => Outcome::Reset,
    }
}

/// Sends one datagram of some length and waits for its answer; one that is lost is sent again until patience ends.
fn ask(socket: &UdpSocket, length: usize, patience: Duration) -> Result<Answer, Outcome> {
    let mut question = b"who\n".to_vec();
    question.resize(length.max(4), b'.');
    let end = Instant::now() + patience;
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let mut buffer = vec![0; 65_536];
    while Instant::now() < end {
        let answered = socket.send(&question).and_then(|_| socket.recv(&mut buffer));
        match answered {
            Ok(count) if count >= length => {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                return said(text.lines().next().unwrap_or_default());
            }
            Ok(_) => return Err(Outcome::Stalled),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The path has become smaller; the next one is cut to fit.
            Err(error) if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => {}
            Err(error) => return Err(failure(&error)),
        }
    }
    Err(Outcome::Timeout)
}

/// Sends datagrams whose checksum field is zero, as IPv4 allows, until one is answered.
pub fn without_checksum(from: &Machine, to: SocketAddr, patience: Duration) -> Outcome {
    from.run(|| {
        let answers = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        answers.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).expect("a raw socket");
        let source = answers.local_addr().expect("it is bound").port();
        // Source, destination, length, no checksum: what the kernel would fill in is written here.
        let mut datagram: Vec<u8> = [source, to.port(), 12, 0].into_iter().flat_map(u16::to_be_bytes).collect();
        datagram.extend(b"who\n");
        let end = Instant::now() + patience;
        while Instant::now() < end {
            raw.send_to(&datagram, &to.into()).expect("it is sent");
            if answers.recv(&mut [0; 64]).is_ok() {
                return Outcome::Whole;
            }
        }
        Outcome::Timeout
    })
}

/// Asks whoever is at an address whom it sees; it must listen on this port.
pub fn probe_for(from: &Machine, transport: Transport, to: SocketAddr, port: u16, patience: Duration) -> Outcome {
    match who(from, transport, to, patience) {
        Ok(answer) if answer.port == port => Outcome::Answer(answer.source),
        Ok(_) => Outcome::Elsewhere,
        Err(outcome) => outcome,
    }
}

/// Asks the gateway at an address whom it sees.
pub fn probe(from: &Machine, transport: Transport, to: SocketAddr, patience: Duration) -> Outcome {
    who(from, transport, to, patience).map_or_else(|outcome| outcome, |answer| Outcome::Answer(answer.source))
}

/// Asks the gateway at an address for its name, and whom it sees.
pub fn who(from: &Machine, transport: Transport, to: SocketAddr, patience: Duration) -> Result<Answer, Outcome> {
    match transport {
        Transport::Tcp => Conversation::open(from, to, patience).and_then(|mut open| {
            let answer = open.who();
            open.abort();
            answer
        }),
        Transport::Udp => datagram(from, to, 4, patience),
    }
}

/// A UDP socket that goes on.
pub struct Flow(UdpSocket);

impl Flow {
    /// Opens one from a machine.
    pub fn open(from: &Machine, to: SocketAddr) -> Result<Self, Outcome> {
        from.run(|| Self::bound(0, to))
    }

    fn bound(source: u16, to: SocketAddr) -> Result<Self, Outcome> {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], source).into() } else { ([0_u16; 8], source).into() };
        let socket = UdpSocket::bind(any).expect("a port");
        // A node's own routes may already say that there is no way.
        socket.connect(to).map_err(|error| failure(&error))?;
        Ok(Self(socket))
    }

    /// Asks who is there.
    pub fn who(&self, patience: Duration) -> Result<Answer, Outcome> {
        ask(&self.0, 4, patience)
    }
}

/// Asks whoever is at an address whom it sees, from a port of the client's choice.
pub fn from_port(from: &Machine, transport: Transport, source: u16, to: SocketAddr, patience: Duration) -> Outcome {
    let answer = match transport {
        Transport::Tcp => Conversation::open_from(from, source, to, patience).and_then(|mut open| {
            let answer = open.who();
            open.abort();
            answer
        }),
        Transport::Udp => from.run(|| Flow::bound(source, to)?.who(patience)),
    };
    answer.map_or_else(|outcome| outcome, |answer| Outcome::Answer(answer.source))
}

/// Sends a datagram of some length, cut into fragments where it must be, and gets one as long back.
pub fn datagram(from: &Machine, to: SocketAddr, length: usize, patience: Duration) -> Result<Answer, Outcome> {
    from.run(|| ask(&Flow::bound(0, to)?.0, length, patience))
}

/// Listens on `tcp:80`, `udp:443` and the like until it is killed: a gateway in a process of its own.
pub fn serve_forever(arguments: &[String]) -> std::process::ExitCode {
    let (name, ports) = arguments.split_first().expect("a name and ports");
    let name: &'static str = name.clone().leak();
    for port in ports {
        let (transport, port) = port.split_once(':').expect("tcp:80");
        let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.parse().expect("a port")));
        let stop = Arc::new(AtomicBool::new(false));
        if transport == "tcp" {
            let Ok(listener) = TcpListener::bind(address) else { return std::process::ExitCode::FAILURE };
            thread::spawn(move || accept(&Socket::from(listener), name, &stop));
        } else {
            for socket in udp_sockets(address.port()) {
                let stop = Arc::clone(&stop);
                thread::spawn(move || echo(&socket, name, &stop));
            }
        }
    }
    loop {
        thread::park();
    }
}
