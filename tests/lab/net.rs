//! Machines and the links between them: network namespaces that live as long as the test holds them.
//!
//! ```text
//! client ──┐                     ┌── node1 ── pod1
//!          ├── router ── bridge ─┤
//! client2 ─┘                     └── node2 ── pod2
//! ```
//!
//! No namespace has a name, and every process of the lab is in a process namespace of its own, so nothing is left behind
//! however the tests end: the kernel takes a namespace away with the last process that holds it. Every checksum is worked out in software and checked on arrival.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

/// The addresses of a machine, IPv4 and IPv6.
pub type Addresses = (Ipv4Addr, Ipv6Addr);

/// An IP family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Family {
    pub fn of(self, addresses: Addresses) -> IpAddr {
        match self {
            Self::V4 => addresses.0.into(),
            Self::V6 => addresses.1.into(),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

pub const fn v6(link: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, link, 0, 0, 0, 0, host)
}

pub const CLIENT: Addresses = (Ipv4Addr::new(192, 0, 2, 10), v6(1, 0x10));
pub const CLIENT2: Addresses = (Ipv4Addr::new(192, 0, 2, 74), v6(2, 0x10));
pub const NODES: [Addresses; 2] =
    [(Ipv4Addr::new(198, 51, 100, 11), v6(0x64, 0x11)), (Ipv4Addr::new(198, 51, 100, 12), v6(0x64, 0x12))];
pub const PODS: [Addresses; 2] =
    [(Ipv4Addr::new(203, 0, 113, 10), v6(0x71, 0x10)), (Ipv4Addr::new(203, 0, 113, 26), v6(0x72, 0x10))];
/// The nodes' ends of the pods' links: the source a node shows to its own pods.
pub const POD_GATEWAYS: [Addresses; 2] =
    [(Ipv4Addr::new(203, 0, 113, 1), v6(0x71, 1)), (Ipv4Addr::new(203, 0, 113, 17), v6(0x72, 1))];
pub const CLUSTER_IP: Addresses = (Ipv4Addr::new(203, 0, 113, 140), v6(0x80, 0x140));
/// An address beside the nodes' own that the router finds at node1, as a load balancer announces it.
pub const LOAD_BALANCER: Addresses = (Ipv4Addr::new(198, 51, 100, 200), v6(0x64, 0x200));
pub const POD_NETWORKS: [(&str, &str); 2] =
    [("203.0.113.0/28", "2001:db8:71::/64"), ("203.0.113.16/28", "2001:db8:72::/64")];
/// Where all pods are, as kube-proxy is told.
pub const CLUSTER_CIDR: (&str, &str) = ("203.0.113.0/26", "2001:db8:70::/44");
/// The smallest path there is here: from the router to client2, and from a node to the pods of the other one.
pub const SMALL_MTU: u16 = 1300;

/// One network namespace, with a mount namespace in which it has an /etc of its own.
pub struct Machine {
    net: File,
    mounts: File,
}

impl Machine {
    /// One with nothing but a loopback.
    pub fn new() -> Self {
        let machine = thread::spawn(|| {
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).expect("namespaces");
            let open = |kind: &str| File::open(format!("/proc/thread-self/ns/{kind}")).expect("a namespace's file");
            Self { net: open("net"), mounts: open("mnt") }
        })
        .join()
        .expect("a thread");
        machine.sh("ip link set lo up");
        machine
    }

    /// Runs a function on this machine, in a thread of its own.
    pub fn run<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter();
                what()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn enter(&self) {
        // A thread that shares its root directory with others may not leave its mount namespace.
        unshare(CloneFlags::CLONE_FS).expect("a root directory of its own");
        setns(&self.net, CloneFlags::CLONE_NEWNET).expect("the network namespace");
        setns(&self.mounts, CloneFlags::CLONE_NEWNS).expect("the mount namespace");
    }

    /// Lets a function go on here for as long as it likes.
    pub fn spawn<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        let (net, mounts) = (self.net.try_clone().expect("a copy"), self.mounts.try_clone().expect("a copy"));
        thread::spawn(move || {
            Self { net, mounts }.enter();
            what()
        })
    }

    /// Runs a program with some input.
    pub fn try_command(&self, program: &[&str], input: &str) -> Output {
        self.run(|| {
            let mut child = Command::new(program[0])
                .args(&program[1..])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", program[0]));
            let mut stdin = child.stdin.take().expect("a pipe");
            thread::scope(|scope| {
                // A program that failed early takes no more; its status says so.
                scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
                child.wait_with_output().expect("it ends")
            })
        })
    }

    /// Starts a program that goes on until it is killed.
    pub fn start(&self, command: &[String]) -> Child {
        self.run(|| {
            Command::new(&command[0])
                .args(&command[1..])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", command[0]))
        })
    }

    /// Runs a program that must succeed, and gives what it printed.
    pub fn command(&self, program: &[&str], input: &str) -> String {
        let output = self.try_command(program, input);
        assert!(output.status.success(), "{program:?}: {}\n{input}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs a shell script that must succeed.
    pub fn sh(&self, script: &str) -> String {
        self.command(&["sh", "-ec", script], "")
    }

    /// Runs lines of `ip`.
    fn ip(&self, lines: &str) {
        self.command(&["ip", "-batch", "-"], lines);
    }

    fn sysctl(&self, name: &str, value: &str) {
        self.run(|| {
            let path = format!("/proc/sys/{}", name.replace('.', "/"));
            fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
        });
    }

    /// Its network namespace, as `ip` takes it.
    pub fn netns(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.net.as_raw_fd())
    }

    /// Puts folders over this machine's /etc, the first on top, in place of what an earlier call put there.
    pub fn overlay_etc(&self, folders: &[&str]) {
        self.run(|| {
            // The first time there is nothing to take away.
            let _ = nix::mount::umount("/etc");
            overlay("/etc", folders);
        });
    }

    /// Puts a folder over /usr/bin: programs that only this machine has.
    pub fn overlay_programs(&self, folder: &str) {
        self.run(|| overlay("/usr/bin", &[folder]));
    }

    /// Puts an empty folder over one: what is written there stays on this machine.
    pub fn private(&self, folder: &str) {
        let nothing: Option<&str> = None;
        self.run(|| mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), nothing).expect("an empty folder"));
    }

    /// Packets with a wrong checksum that arrived here.
    pub fn wrong_checksums(&self) -> u64 {
        let counters = self.run(|| {
            fs::read_to_string("/proc/thread-self/net/snmp").expect("IPv4 counters")
                + &fs::read_to_string("/proc/thread-self/net/snmp6").expect("IPv6 counters")
        });
        let lines: Vec<&str> = counters.lines().collect();
        // IPv4: a line of names and a line of values for each protocol. IPv6: a name and a value on each line.
        let pairs = lines.windows(2).filter(|pair| pair[0].contains("InCsumErrors") && !pair[0].contains('6'));
        let v4 = pairs.flat_map(|pair| pair[0].split_whitespace().zip(pair[1].split_whitespace()));
        let v6 = lines.iter().filter_map(|line| line.split_once(char::is_whitespace));
        v4.chain(v6)
            .filter(|(name, _)| name.ends_with("InCsumErrors"))
            .map(|(_, value)| value.trim().parse::<u64>().unwrap_or(0))
            .sum()
    }
}

fn overlay(on: &str, folders: &[&str]) {
    let lower = format!("lowerdir={}:{on}", folders.join(":"));
    mount(Some("overlay"), on, Some("overlay"), MsFlags::MS_RDONLY, Some(lower.as_str())).expect("an overlay");
}

/// Two clients, a router, two nodes and a pod on each.
pub struct Topology {
    pub client: Machine,
    pub client2: Machine,
    pub router: Machine,
    pub nodes: [Machine; 2],
    pub pods: [Machine; 2],
}

impl Topology {
    pub fn new() -> Self {
        let machine = Machine::new;
        let lab = Self {
            client: machine(),
            client2: machine(),
            router: machine(),
            nodes: [machine(), machine()],
            pods: [machine(), machine()],
        };
        for machine in lab.machines() {
            // An address is of use at once, without asking whether somebody else has it.
            machine.sysctl("net.ipv6.conf.default.accept_dad", "0");
            machine.sysctl("net.ipv4.conf.all.rp_filter", "0");
            machine.sysctl("net.ipv4.conf.default.rp_filter", "0");
            // Every refusal is to be seen, also the tenth in a second.
            machine.sysctl("net.ipv4.icmp_ratelimit", "0");
            machine.sysctl("net.ipv6.icmp.ratelimit", "0");
        }
        for machine in [&lab.router, &lab.nodes[0], &lab.nodes[1]] {
            machine.sysctl("net.ipv4.ip_forward", "1");
            machine.sysctl("net.ipv6.conf.all.forwarding", "1");
        }
        lab.links();
        lab.addresses();
        lab
    }

    pub fn machines(&self) -> [&Machine; 7] {
        let ([node1, node2], [pod1, pod2]) = (&self.nodes, &self.pods);
        [&self.client, &self.client2, &self.router, node1, node2, pod1, pod2]
    }

    fn links(&self) {
        let router = &self.router;
        let links = [
            (&self.client, "eth0", router, "client"),
            (&self.client2, "eth0", router, "client2"),
            (&self.nodes[0], "eth0", router, "node1"),
            (&self.nodes[1], "eth0", router, "node2"),
            (&self.pods[0], "eth0", &self.nodes[0], "pod"),
            (&self.pods[1], "eth0", &self.nodes[1], "pod"),
        ];
        let lines: Vec<String> = links
            .iter()
            .map(|(a, a_name, b, b_name)| {
                format!("link add name {a_name} netns {} type veth peer name {b_name} netns {}\n", a.netns(), b.netns())
            })
            .collect();
        router.ip(&lines.concat());
        router.ip("link add br0 type bridge\nlink set node1 master br0\nlink set node2 master br0\n");
        for (machine, name) in links.iter().flat_map(|(a, a_name, b, b_name)| [(a, a_name), (b, b_name)]) {
            machine.command(
                &["ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off", "sg", "off"],
                "",
            );
        }
    }

    fn addresses(&self) {
        let ends = [(&self.client, CLIENT, "192.0.2.1", 26), (&self.client2, CLIENT2, "192.0.2.65", 26)];
        for (machine, (v4, v6), gateway, length) in ends {
            let gateway6 = Ipv6Addr::from(u128::from(v6) & !0xffff | 1);
            machine.ip(&format!(
                "link set eth0 up\naddress add {v4}/{length} dev eth0\naddress add {v6}/64 dev eth0 nodad\n\
                 route add default via {gateway}\nroute add default via {gateway6}\n"
            ));
        }
        let mut router = vec![
            "link set client up\nlink set client2 up\nlink set node1 up\nlink set node2 up\nlink set br0 up".to_owned(),
            "address add 192.0.2.1/26 dev client\naddress add 2001:db8:1::1/64 dev client nodad".to_owned(),
            "address add 192.0.2.65/26 dev client2 noprefixroute".to_owned(),
            "address add 2001:db8:2::1/64 dev client2 nodad noprefixroute".to_owned(),
            "address add 198.51.100.1/24 dev br0\naddress add 2001:db8:64::1/64 dev br0 nodad".to_owned(),
            format!("route add 192.0.2.64/26 dev client2 mtu {SMALL_MTU}"),
            format!("route add 2001:db8:2::/64 dev client2 mtu {SMALL_MTU}"),
            // What MetalLB's answers to ARP do, or its BGP session: the address is at node1.
            format!("route add {} via {}", LOAD_BALANCER.0, NODES[0].0),
            format!("route add {} via {}", LOAD_BALANCER.1, NODES[0].1),
        ];
        for ((v4, v6), (pods4, pods6)) in NODES.iter().zip(POD_NETWORKS) {
            router.push(format!("route add {pods4} via {v4}\nroute add {pods6} via {v6}"));
        }
        self.router.ip(&(router.join("\n") + "\n"));
        for (here, there) in [(0, 1), (1, 0)] {
            let ((v4, v6), (gateway4, gateway6)) = (NODES[here], POD_GATEWAYS[here]);
            let ((pods4, pods6), (via4, via6)) = (POD_NETWORKS[there], NODES[there]);
            self.nodes[here].ip(&format!(
                "link set eth0 up\nlink set pod up\naddress add {v4}/24 dev eth0\naddress add {v6}/64 dev eth0 nodad\n\
                 address add {gateway4}/28 dev pod\naddress add {gateway6}/64 dev pod nodad\n\
                 route add default via 198.51.100.1\nroute add default via 2001:db8:64::1\n\
                 route add {pods4} via {via4} mtu {SMALL_MTU}\nroute add {pods6} via {via6} mtu {SMALL_MTU}\n"
            ));
            let (pod4, pod6) = PODS[here];
            self.pods[here].ip(&format!(
                "link set eth0 up\naddress add {pod4}/28 dev eth0\naddress add {pod6}/64 dev eth0 nodad\n\
                 route add default via {gateway4}\nroute add default via {gateway6}\n"
            ));
        }
    }

    /// Packets with a wrong checksum that arrived anywhere.
    pub fn wrong_checksums(&self) -> u64 {
        self.machines().into_iter().map(Machine::wrong_checksums).sum()
    }
}
