//! What many ports cost a node: loading the rules, beside as many calls of `iptables -A` and one `iptables-restore`; a
//! new connection, a packet of an open one, and a packet that no rule means, beside a node without rules.
//!
//! `cargo bench --bench ports` prints it, as root: in a user's own namespace nft may not send as much at once. It
//! works in network namespaces that go with it. Every figure is a ratio or stands beside one: machines differ, ratios
//! less.
#![allow(missing_docs)]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portgen::chart::Charts;
use portgen::grammar::{DnsLabel, Port};
use portgen::input;
use portgen::output::node::nft::{self, Chain, Rule, Ruleset, Statement};
use portgen::output::node::{self, NFT_FILE};
use portgen::plan::node::{NodePlan, Way};
use portgen::plan::{self, Plan};
use portgen::source::Source;

/// How many ports.
const SIZES: [u16; 4] = [1, 100, 1_000, 10_000];
/// The first public port and the first node port: far enough apart for the most of them.
const PUBLIC: u16 = 10_000;
const NODE: u16 = 30_000;
/// Where a process of the node listens that no rule knows.
const FOREIGN: u16 = 22;
/// Where the pod listens.
const POD: u16 = 8000;
/// Each node in turn, that often and that long, so that a slow moment hits all of them alike; the fastest counts.
const ROUNDS: usize = 60;
const ROUND: Duration = Duration::from_millis(6);
/// After that long, the calls of `iptables -A` are cut short and the rest is reckoned.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a client says first: whether the server hangs up or sends everything back.
const HANG_UP: u8 = 0;
const ECHO: u8 = 1;

const SPEC: &str = r#"
apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {name: ports}
cluster: {kubernetesVersion: "1.33", serviceProxy: {type: kube-proxy, mode: nftables}, ipFamilies: [IPv4]}
nodePools: {edge: {nodeSelector: {pool: edge}, os: debian-12, count: 2}}
gateways:
  kong:
    {chart: kong, namespace: kong, nodePools: [edge], ports: {http: {port: 80}}, exposure: {strategy: nodePortRedirect}}
"#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--loads"] => loads(),
        ["--costs"] => costs(),
        ["--serve", port] => serve(port.parse().expect("a port")),
        _ => outside(),
    }
}

/// Goes into a network namespace, on one processor: a packet's way is then the sum of what is done on it.
fn outside() {
    let itself = std::env::current_exe().expect("a path");
    let missing = ["ip", "nft", "iptables", "iptables-restore", "nsenter", "taskset"]
        .into_iter()
        .find(|program| !quiet(Command::new("sh").args(["-c", &format!("command -v {program}")])));
    if let Some(program) = missing {
        println!("nothing is measured: {program} is missing");
        return;
    }
    if !quiet(Command::new("unshare").args(["-n", "true"])) {
        println!("nothing is measured: network namespaces are root's");
        return;
    }
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("some processor");
    let last = allowed.trim().rsplit([',', '-']).next().expect("a number");
    for what in ["--loads", "--costs"] {
        let mut command = Command::new("taskset");
        command.args(["-c", last, "unshare", "-n"]).arg(&itself).arg(what);
        assert!(command.status().expect("it starts").success());
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn loads() {
    let scratch = tempfile::tempdir().expect("a folder");
    println!(
        "Linux {}, {}, {}",
        fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux").trim(),
        first_line("nft"),
        first_line("iptables"),
    );
    let rules: Vec<Rules> = SIZES.iter().map(|size| Rules::new(*size, scratch.path())).collect();
    println!("\n{:>6} {:>7} {:>7} {:>9}   file", "ports", "rules", "parts", "size");
    for rules in &rules {
        let all = rules.ruleset.chains.iter().map(|chain| &chain.rules);
        let all: usize = all.chain(rules.ruleset.parts.iter().map(|part| &part.rules)).map(Vec::len).sum();
        let size = fs::metadata(&rules.file).expect("the file").len() / 1000;
        println!("{:>6} {all:>7} {:>7} {size:>6} kB", rules.size, rules.ruleset.parts.len());
    }
    println!(
        "\n{:>6} {:>12} {:>12} {:>8} {:>16} {:>8}   load",
        "ports", "nft -f", "iptables -A", "x nft", "iptables-restore", "x nft"
    );
    for rules in &rules {
        load(rules);
    }
}

fn costs() {
    let scratch = tempfile::tempdir().expect("a folder");
    println!(
        "\n{:>6} {:<26} {:>10} {:>10} {:>7} {:>10} {:>7} {:>12} {:>7}",
        "ports", "time of one", "no rules", "portgen", "ratio", "one list", "ratio", "iptables nat", "ratio"
    );
    write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
    ip("link set lo up");
    for size in SIZES {
        cost(&Rules::new(size, scratch.path()));
    }
}

fn first_line(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

/// The rules of a node with that many ports, as files.
struct Rules {
    size: u16,
    ruleset: Ruleset,
    /// As portgen writes them.
    file: PathBuf,
    /// The same rules, none of the lists divided.
    one_list: PathBuf,
}

impl Rules {
    fn new(size: u16, folder: &Path) -> Self {
        let (plan, pool, node) = planned(size);
        let files = node::files(&plan, &pool, &node).expect("what was meant");
        let (_, text) = files.into_iter().find(|(path, _)| path == NFT_FILE).expect("the rules");
        let ruleset = nft::read(&text).expect("what was written");
        let file = folder.join(format!("{size}.nft"));
        fs::write(&file, text).expect("written");
        let one_list = folder.join(format!("{size}.list.nft"));
        fs::write(&one_list, undivided(&ruleset).to_string()).expect("written");
        Self { size, ruleset, file, one_list }
    }

    /// Each public port with its node port.
    fn ports(&self) -> impl Iterator<Item = (u16, u16)> {
        (0..self.size).map(|number| (PUBLIC + number, NODE + number))
    }

    fn last(&self) -> (u16, u16) {
        self.ports().last().expect("one at least")
    }
}

/// A spec holds 10,000 values and so fewer ports: its one door, again and again.
fn planned(size: u16) -> (Plan, DnsLabel, NodePlan) {
    let source = Source { path: "ports.yaml".to_owned(), text: SPEC.to_owned() };
    let spec = input::parse(source, &mut |_, _| Err(String::new())).spec.expect("a spec");
    let plan = plan::build(&spec, &Charts::built_in(|name| name == "kong"));
    let (pool, node) = plan.nodes.first_key_value().map(|(pool, node)| (pool.clone(), node.clone())).expect("a pool");
    let port = |number| Port::new(number).expect("not 0");
    let door = |number: u16| {
        let mut door = node.doors[0].clone();
        door.name = format!("p{number}").parse().expect("a name");
        door.port = port(PUBLIC + number);
        door.way = Way::Rewrite { node_port: port(NODE + number), direct: false };
        door
    };
    let doors = (0..size).map(door).collect();
    (plan, pool, NodePlan { doors, ..node })
}

fn undivided(ruleset: &Ruleset) -> Ruleset {
    fn flat(ruleset: &Ruleset, rules: &[Rule], found: &mut Vec<Rule>) {
        for rule in rules {
            match rule.statements.last() {
                Some(Statement::Jump(name) | Statement::Goto(name)) => {
                    let part = ruleset.parts.iter().find(|part| part.name == *name).expect("a part of that name");
                    flat(ruleset, &part.rules, found);
                }
                _ => found.push(rule.clone()),
            }
        }
    }
    let chain = |chain: &Chain| {
        let mut rules = Vec::new();
        flat(ruleset, &chain.rules, &mut rules);
        Chain { rules, ..chain.clone() }
    };
    Ruleset { chains: ruleset.chains.iter().map(chain).collect(), parts: Vec::new() }
}

/// How long loading takes: the file, a call for each port, one call for all of them.
fn load(rules: &Rules) {
    let runs = if rules.size < 10_000 { 7 } else { 3 };
    let file = rules.file.to_str().expect("UTF-8");
    let nft = fastest(runs, || run("nft", &["-f", file]));
    let start = Instant::now();
    let mut called = 0;
    for (public, node_port) in rules.ports() {
        let rule = format!("-w -t nat -A PREROUTING -p tcp --dport {public} -j REDIRECT --to-ports {node_port}");
        run("iptables", &rule.split(' ').collect::<Vec<_>>());
        called += 1;
        if start.elapsed() > PATIENCE {
            break;
        }
    }
    let calls = start.elapsed().mul_f64(f64::from(rules.size) / f64::from(called));
    let lines = rules.ports().map(|(public, node_port)| {
        format!("-A PREROUTING -p tcp --dport {public} -j REDIRECT --to-ports {node_port}\n")
    });
    let restore_file = rules.file.with_extension("restore");
    fs::write(&restore_file, format!("*nat\n{}COMMIT\n", lines.collect::<String>())).expect("written");
    let restore = fastest(runs, || run("iptables-restore", &[restore_file.to_str().expect("UTF-8")]));
    println!(
        "{:>6} {:>9.1} ms {:>9.1} ms {:>8.2} {:>13.1} ms {:>8.2}{}",
        rules.size,
        nft.as_secs_f64() * 1e3,
        calls.as_secs_f64() * 1e3,
        calls.as_secs_f64() / nft.as_secs_f64(),
        restore.as_secs_f64() * 1e3,
        restore.as_secs_f64() / nft.as_secs_f64(),
        if called < rules.size { format!("   ({called} calls made, the rest reckoned)") } else { String::new() },
    );
}

fn fastest(runs: usize, mut action: impl FnMut()) -> Duration {
    let timed = |_| {
        let start = Instant::now();
        action();
        start.elapsed()
    };
    (0..runs).map(timed).min().expect("one run at least")
}

/// A process in a network namespace of its own; both go together.
struct Peer(Child);

impl Peer {
    fn new(port: u16) -> Self {
        let mut child = Command::new("unshare")
            .arg("-n")
            .arg(std::env::current_exe().expect("a path"))
            .args(["--serve", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut ready = [0];
        child.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("it serves");
        Self(child)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let pid = self.0.id().to_string();
        run("nsenter", &[&["-t", &pid, "-n", program], arguments].concat());
    }

    fn ip(&self, words: &str) {
        self.run("ip", &words.split(' ').collect::<Vec<_>>());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its namespace, and what is in it, goes with it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().expect("it starts");
    assert!(status.success(), "{program} {arguments:?}");
}

fn ip(words: &str) {
    run("ip", &words.split(' ').collect::<Vec<_>>());
}

fn write(path: &str, text: &str) {
    // Not everything is a user's to set; what is set here only makes room for more connections.
    let _ = fs::write(path, text);
}

/// A server of this bench: one client after the other.
fn serve(port: u16) {
    ip("link set lo up");
    write("/proc/sys/net/ipv4/ip_forward", "1");
    write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
    write("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait", "1");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a port");
    io::stdout().write_all(b"!").and_then(|()| io::stdout().flush()).expect("whoever started this listens");
    std::thread::spawn(|| {
        // Whoever started this is gone, however it went.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    for client in listener.incoming() {
        let mut client = client.expect("a client");
        client.set_nodelay(true).expect("a socket");
        let mut byte = [HANG_UP];
        while client.read(&mut byte).is_ok_and(|read| read == 1) && byte != [HANG_UP] {
            if client.write_all(&byte).is_err() {
                break;
            }
        }
    }
}

/// A node between this namespace, the client's, and the pod's.
struct Node {
    link: String,
    peer: Peer,
    address: Ipv4Addr,
    pod: Ipv4Addr,
}

impl Node {
    fn new(number: u8, pod: &Peer) -> Self {
        let peer = Peer::new(FOREIGN);
        let [client_net, pod_net] = [Ipv4Addr::new(198, 51, 100, 0), Ipv4Addr::new(192, 0, 2, 0)]
            .map(|net| move |host: u8| Ipv4Addr::from(u32::from(net) + u32::from(number * 4 + host)));
        let (node_id, pod_id) = (peer.0.id(), pod.0.id());
        let link = format!("client{number}");
        ip(&format!("link add {link} type veth peer name clients netns {node_id}"));
        ip(&format!("address add {}/30 dev {link}", client_net(2)));
        ip(&format!("link set {link} up"));
        peer.ip(&format!("link add pods type veth peer name node{number} netns {pod_id}"));
        for (name, address) in [("clients", client_net(1)), ("pods", pod_net(1))] {
            peer.ip(&format!("address add {address}/30 dev {name}"));
            peer.ip(&format!("link set {name} up"));
        }
        pod.ip(&format!("address add {}/30 dev node{number}", pod_net(2)));
        pod.ip(&format!("link set node{number} up"));
        pod.ip(&format!("route add {}/30 via {}", client_net(0), pod_net(1)));
        Self { link, peer, address: client_net(1), pod: pod_net(2) }
    }

    /// What kube-proxy does for a node port.
    fn serves(&self, node_port: u16) {
        let rule = format!(
            "table ip service {{\n chain prerouting {{\n type nat hook prerouting priority -100\n \
             tcp dport {node_port} dnat to {}:{POD}\n }}\n}}",
            self.pod
        );
        self.peer.run("nft", &[&rule]);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A namespace takes its time to go; the next node has the same addresses.
        ip(&format!("link delete {}", self.link));
    }
}

/// What connections and packets cost on nodes that differ in their rules alone.
fn cost(rules: &Rules) {
    let pod = Peer::new(POD);
    let (public, node_port) = rules.last();
    let nodes: Vec<Node> = (0..4).map(|number| Node::new(number, &pod)).collect();
    let [bare, divided, one_list, iptables] = nodes.as_slice() else { unreachable!("there are four") };
    for (node, file) in [(divided, &rules.file), (one_list, &rules.one_list)] {
        node.peer.run("nft", &["-f", file.to_str().expect("UTF-8")]);
        node.serves(node_port);
    }
    bare.serves(node_port);
    // With a redirect to a node port nobody would answer: here iptables does kube-proxy's work as well.
    let pod = iptables.pod;
    let lines = rules
        .ports()
        .map(|(public, _)| format!("-A PREROUTING -p tcp --dport {public} -j DNAT --to-destination {pod}:{POD}\n"));
    let file = rules.file.with_extension("dnat");
    fs::write(&file, format!("*nat\n{}COMMIT\n", lines.collect::<String>())).expect("written");
    iptables.peer.run("iptables-restore", &[file.to_str().expect("UTF-8")]);

    let doors: Vec<SocketAddr> =
        nodes.iter().zip([node_port, public, public, public]).map(|(node, port)| (node.address, port).into()).collect();
    let foreign: Vec<SocketAddr> = nodes.iter().map(|node| (node.address, FOREIGN).into()).collect();
    print(rules.size, "new connection", &in_turn(&doors, connections));
    print(rules.size, "question and answer", &in_turn(&doors, answers));
    print(rules.size, "the same, port in no rule", &in_turn(&foreign, answers));
}

fn print(size: u16, what: &str, times: &[f64]) {
    print!("{size:>6} {what:<26} {:>7.1} us", times[0]);
    for (time, width) in times[1..].iter().zip([7, 7, 9]) {
        print!(" {time:>width$.1} us {:>7.2}", time / times[0]);
    }
    println!();
}

/// The time of one in the fastest round, in microseconds, for each address.
fn in_turn(addresses: &[SocketAddr], measure: fn(SocketAddr) -> f64) -> Vec<f64> {
    let mut fastest = vec![f64::INFINITY; addresses.len()];
    for _ in 0..ROUNDS {
        for (fastest, address) in fastest.iter_mut().zip(addresses) {
            *fastest = fastest.min(measure(*address));
        }
    }
    fastest.iter().map(|seconds| seconds * 1e6).collect()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("the way is open");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn connections(address: SocketAddr) -> f64 {
    each(|| {
        let mut stream = connect(address);
        stream.write_all(&[HANG_UP]).expect("open");
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    })
}

fn answers(address: SocketAddr) -> f64 {
    let mut stream = connect(address);
    each(|| {
        stream.write_all(&[ECHO]).expect("open");
        stream.read_exact(&mut [0]).expect("the same back");
    })
}

/// The time of one in seconds.
fn each(mut action: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < ROUND {
        action();
        count += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(count)
}
