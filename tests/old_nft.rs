//! The part of nft's language that portgen keeps to: held against a list of what it may write, and against the oldest
//! nft that it promises to work with.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{available, has, in_namespace, rendered, root};
use ipnet::IpNet;

/// The oldest nft that portgen promises to work with.
const OLDEST: &str = "v0.9.8";

/// How every file starts: what nft before 1.0.7 has instead of `destroy table`.
const HEAD: [&str; 3] = ["table inet portgen", "delete table inet portgen", "table inet portgen {"];

/// Every chain, with its first line. Priorities are numbers: which names stand at which hook differs between versions.
const CHAINS: [(&str, &str); 9] = [
    ("chain early_prerouting {", "type filter hook prerouting priority -310 ; policy accept ;"),
    ("chain early_output {", "type filter hook output priority -310 ; policy accept ;"),
    ("chain refuse {", "type filter hook input priority 200 ; policy accept ;"),
    ("chain prerouting {", "type filter hook prerouting priority -190 ; policy accept ;"),
    ("chain postrouting {", "type filter hook postrouting priority 310 ; policy accept ;"),
    ("chain output {", "type filter hook output priority -190 ; policy accept ;"),
    ("chain input {", "type filter hook input priority 310 ; policy accept ;"),
    ("chain redirect_prerouting {", "type nat hook prerouting priority -105 ; policy accept ;"),
    ("chain redirect_output {", "type nat hook output priority -105 ; policy accept ;"),
];

/// A part of a list that is too long to be walked from end to end.
const PART: &str = "chain PART {";

/// What a rule may ask of a packet. Words in capitals are arguments, see [`is_a`].
const MATCHES: [&str; 29] = [
    "iifname NAME",
    "iifname != NAME",
    "oifname != NAME",
    "fib daddr type != local",
    "fib saddr type != local",
    "meta nfproto ipv4",
    "meta nfproto ipv6",
    "ip saddr NETWORK4",
    "ip saddr != NETWORKS4",
    "ip daddr NETWORK4",
    "ip daddr != NETWORKS4",
    "ip6 saddr NETWORK6",
    "ip6 saddr != NETWORKS6",
    "ip6 daddr NETWORK6",
    "ip6 daddr != NETWORKS6",
    "tcp dport NUMBERS16",
    "tcp sport NUMBERS16",
    "udp dport NUMBERS16",
    "udp sport NUMBERS16",
    "icmp type destination-unreachable",
    "icmp code frag-needed",
    "icmp code != frag-needed",
    "icmpv6 type packet-too-big",
    "icmpv6 type destination-unreachable",
    "BITS8 NUMBER8",
    "BITS16 NUMBERS16",
    "ct original proto-dst NUMBER16",
    "ct direction reply",
    "ct original zone NUMBER16",
];

/// What a rule may do before it ends.
const STATEMENTS: [&str; 7] = [
    "counter",
    "ct original zone set NUMBER16",
    "tcp dport set NUMBER16",
    "tcp sport set NUMBER16",
    "udp dport set NUMBER16",
    "udp sport set NUMBER16",
    "BITS16 set NUMBER16",
];

/// How a rule ends.
const VERDICTS: [&str; 7] =
    ["accept", "drop", "return", "redirect to PORT", "jump PART", "goto PART", "reject with tcp reset"];

/// What may stand behind that.
const COMMENT: &str = "comment TEXT";

/// The words of one line, and how far they are understood.
struct Line<'a> {
    words: Vec<&'a str>,
    at: usize,
    furthest: usize,
}

impl<'a> Line<'a> {
    fn new(line: &'a str) -> Self {
        let mut words = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let quoted = rest.strip_prefix('"').and_then(|inner| inner.find('"')).map(|end| end + 2);
            let end = quoted.unwrap_or_else(|| rest.find(char::is_whitespace).unwrap_or(rest.len()));
            let (word, after) = rest.split_at(end);
            match word.strip_suffix([',', ';']).filter(|bare| !bare.is_empty()) {
                Some(bare) => words.extend([bare, &word[bare.len()..]]),
                None => words.push(word),
            }
            rest = after.trim_start();
        }
        Self { words, at: 0, furthest: 0 }
    }

    fn word(&self, at: usize) -> &'a str {
        self.words.get(at).copied().unwrap_or("the end of the line")
    }

    /// Reads a phrase; one that does not fit leaves nothing behind but how far it went.
    fn take(&mut self, phrase: &str) -> bool {
        let mut at = self.at;
        let fits = phrase.split(' ').all(|expected| self.part(expected, &mut at));
        self.furthest = self.furthest.max(at);
        if fits {
            self.at = at;
        }
        fits
    }

    /// Reads one word, or a whole set where one may stand.
    fn part(&self, expected: &str, at: &mut usize) -> bool {
        let kind = match expected {
            "NETWORKS4" => "NETWORK4",
            "NETWORKS6" => "NETWORK6",
            one => one,
        };
        if kind != expected && self.word(*at) == "{" {
            return self.set(kind, at);
        }
        let fits = *at < self.words.len() && is_a(kind, self.words[*at]);
        *at += usize::from(fits);
        fits
    }

    /// Networks in braces. None is within another: nft before 0.9 refuses that, and what remains says the same.
    fn set(&self, kind: &str, at: &mut usize) -> bool {
        let mut known: Vec<IpNet> = Vec::new();
        loop {
            *at += 1;
            let Some(network) = self.word(*at).parse::<IpNet>().ok().filter(|_| is_a(kind, self.word(*at))) else {
                return false;
            };
            if known.iter().any(|other| other.contains(&network) || network.contains(other)) {
                return false;
            }
            known.push(network);
            *at += 1;
            match self.word(*at) {
                "," => {}
                "}" => {
                    *at += 1;
                    return true;
                }
                _ => return false,
            }
        }
    }

    fn take_any(&mut self, phrases: &[&'static str]) -> Option<&'static str> {
        phrases.iter().copied().find(|phrase| self.take(phrase))
    }

    /// The word that fits nowhere.
    fn offending(&self) -> String {
        self.word(self.furthest).to_owned()
    }

    /// Reads a phrase that has the line for itself.
    fn is(&mut self, phrase: &str) -> Result<(), String> {
        if self.take(phrase) && self.at == self.words.len() { Ok(()) } else { Err(self.offending()) }
    }

    /// Reads a rule: matches, statements, one verdict, and perhaps a comment.
    fn rule(&mut self, used: &mut BTreeSet<&'static str>) -> Result<(), String> {
        while let Some(phrase) = self.take_any(&MATCHES) {
            used.insert(phrase);
        }
        while let Some(phrase) = self.take_any(&STATEMENTS) {
            used.insert(phrase);
        }
        used.insert(self.take_any(&VERDICTS).ok_or_else(|| self.offending())?);
        if self.at < self.words.len() && self.take(COMMENT) {
            used.insert(COMMENT);
        }
        if self.at == self.words.len() { Ok(()) } else { Err(self.offending()) }
    }
}

/// Whether a word is the one expected, or an argument of the kind expected.
fn is_a(expected: &str, word: &str) -> bool {
    let number =
        |word: &str, most: u32| word.parse().is_ok_and(|number: u32| number <= most && number.to_string() == word);
    let quoted = || word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
    let network =
        || word.parse::<IpNet>().ok().filter(|network| network.prefix_len() > 0 && network.trunc() == *network);
    // Whole bytes at even places: the others were never tried.
    let bits = |length: &str| {
        word.strip_prefix("@th,")
            .and_then(|rest| rest.strip_suffix(length))
            .is_some_and(|offset| number(offset, 1024) && offset.parse::<u32>().is_ok_and(|offset| offset % 8 == 0))
    };
    match expected {
        "NUMBER8" => number(word, 0xff),
        "NUMBER16" => number(word, 0xffff),
        // One number, or all from one to another.
        "NUMBERS16" => word.split_once('-').map_or(number(word, 0xffff), |(first, last)| {
            let both = number(first, 0xffff) && number(last, 0xffff);
            both && first.parse::<u32>().ok() < last.parse::<u32>().ok()
        }),
        // A part of a long list: the chain it belongs to, its number there, and its ports.
        "PART" => {
            let mut words: Vec<&str> = word.rsplitn(4, '_').collect();
            words.reverse();
            let [chain, numbers @ ..] = &words[..] else { return false };
            let base = CHAINS.iter().any(|(name, _)| name.split(' ').nth(1) == Some(chain));
            base && numbers.len() == 3 && numbers.iter().all(|one| number(one, 0xffff))
        }
        "PORT" => word.strip_prefix(':').is_some_and(|port| number(port, 0xffff)),
        "BITS8" => bits(",8"),
        "BITS16" => bits(",16"),
        "NETWORK4" => network().is_some_and(|network| matches!(network, IpNet::V4(_))),
        "NETWORK6" => network().is_some_and(|network| matches!(network, IpNet::V6(_))),
        // One interface by its name: no pattern, and nothing that would have to be there already.
        "NAME" => quoted().is_some_and(|name| {
            (1..=15).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }),
        // The kernel keeps 128 bytes with the zero behind them.
        "TEXT" => quoted().is_some_and(|text| {
            (1..128).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b" -".contains(&byte))
        }),
        word_itself => word_itself == word,
    }
}

/// Where in a file a line stands.
#[derive(Clone, Copy)]
enum Place {
    Head(usize),
    Table,
    ChainHead(&'static str),
    Chain,
    End,
}

/// Reads a whole file, and tells which phrases it was made of; or the first line and word that are none of them.
fn lint(text: &str) -> Result<BTreeSet<&'static str>, (usize, String)> {
    let mut used = BTreeSet::new();
    let mut place = Place::Head(0);
    for (number, line) in text.lines().enumerate() {
        let mut line = Line::new(line);
        if line.words.first().is_none_or(|word| word.starts_with('#')) {
            continue;
        }
        let read = match place {
            Place::Head(position) => line.is(HEAD[position]).map(|()| match position {
                2 => Place::Table,
                _ => Place::Head(position + 1),
            }),
            Place::Table if line.words == ["}"] => Ok(Place::End),
            // Packets come to a part from another chain only.
            Place::Table if line.take(PART) && line.at == line.words.len() => {
                used.insert(PART);
                Ok(Place::Chain)
            }
            Place::Table => match CHAINS.iter().find(|(name, _)| line.take(name)) {
                Some((name, head)) if line.at == line.words.len() => {
                    used.insert(*name);
                    Ok(Place::ChainHead(head))
                }
                _ => Err(line.offending()),
            },
            Place::ChainHead(head) => line.is(head).map(|()| Place::Chain),
            Place::Chain if line.words == ["}"] => Ok(Place::Table),
            Place::Chain => line.rule(&mut used).map(|()| Place::Chain),
            Place::End => Err(line.offending()),
        };
        place = read.map_err(|word| (number + 1, word))?;
    }
    match place {
        Place::End => Ok(used),
        _ => Err((text.lines().count(), "the end of the file".to_owned())),
    }
}

fn rulesets() -> Vec<(String, PathBuf)> {
    let found: Vec<_> = rendered().into_iter().filter(|(name, _)| name.ends_with(".nft")).collect();
    assert!(found.len() > 8, "{found:?}");
    found
}

#[test]
fn every_ruleset_is_made_of_what_an_old_nft_knows() {
    let mut used = BTreeSet::new();
    for (name, path) in rulesets() {
        match lint(&fs::read_to_string(&path).unwrap()) {
            Ok(phrases) => used.extend(phrases),
            Err((line, word)) => panic!("{name}:{line}: `{word}` is not in the subset that every nft reads"),
        }
    }
    // What nothing writes is not on the list either: it would let through what nobody tried.
    let known =
        CHAINS.iter().map(|(name, _)| name).chain(&MATCHES).chain(&STATEMENTS).chain(&VERDICTS).chain([&COMMENT]);
    let unused: Vec<_> = known.filter(|phrase| !used.contains(*phrase)).collect();
    assert!(unused.is_empty(), "no example and no variant writes {unused:?}");
}

/// Lines that are newer than the subset, cleverer or wrong, with the word at which each leaves it.
const IN_A_FILE: [(&str, &str); 7] = [
    ("destroy table inet portgen", "destroy"),
    ("include \"/etc/portgen/more.nft\"", "include"),
    ("define door = 80", "define"),
    ("flush ruleset", "flush"),
    ("add table inet portgen", "add"),
    ("table ip portgen", "ip"),
    ("table inet portgen; flush ruleset", ";"),
];
const IN_A_TABLE: [(&str, &str); 10] = [
    ("set doors { type inet_service; elements = { 80, 443 }; }", "set"),
    ("set sources { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }", "set"),
    ("set doors { typeof tcp dport; }", "set"),
    ("map doors { type inet_service : inet_service; elements = { 80 : 30080 }; }", "map"),
    ("map doors { typeof tcp dport : verdict; flags interval; }", "map"),
    ("flowtable fast { hook ingress priority 0; devices = { lo }; }", "flowtable"),
    ("counter doors { }", "counter"),
    ("flags owner", "flags"),
    ("comment \"portgen\"", "comment"),
    ("chain helper { }", "helper"),
];
const IN_A_CHAIN: [(&str, &str); 40] = [
    ("iif \"lo\" return", "iif"),
    ("oif != \"lo\" return", "oif"),
    ("iifname { \"eth0\", \"eth1\" } return", "{"),
    ("iifname \"eth*\" return", "\"eth*\""),
    ("iifname eth0 return", "eth0"),
    ("iifgroup 1 return", "iifgroup"),
    ("tcp dport { 80, 443 } counter drop", "{"),
    ("tcp dport 443-80 counter drop", "443-80"),
    ("tcp dport != 80 return", "!="),
    ("tcp dport http drop", "http"),
    ("tcp dport @doors counter drop", "@doors"),
    ("tcp dport set tcp dport map { 80 : 30080, 443 : 30443 } accept", "tcp"),
    ("tcp dport vmap { 80 : drop }", "vmap"),
    ("ct state vmap { invalid : drop }", "state"),
    ("ct count over 10 drop", "count"),
    ("ct original zone set 1 drop accept", "accept"),
    ("meta l4proto { tcp, udp } th dport 80 drop", "l4proto"),
    ("meta mark set 1", "mark"),
    ("ip saddr . tcp dport vmap @doors", "."),
    ("ip saddr { 10.0.0.0/8 } drop", "{"),
    ("ip saddr != @sources drop", "@sources"),
    ("ip saddr != 10.0.0.1-10.0.0.9 drop", "10.0.0.1-10.0.0.9"),
    ("ip saddr != { 10.0.0.0/8, 10.1.0.0/16 } drop", "10.1.0.0/16"),
    ("ip saddr != { 10.0.0.0/8 : 1 } drop", ":"),
    ("ip saddr != fd00::/8 drop", "fd00::/8"),
    ("add @sources { ip saddr limit rate over 10/second } drop", "add"),
    ("tcp dport 80 update @sources { ip saddr timeout 1m } drop", "update"),
    ("tcp dport 80 meter flood { ip saddr limit rate over 10/second } drop", "meter"),
    ("tcp option maxseg size set 1400", "option"),
    ("tcp flags syn limit rate over 10/second drop", "flags"),
    ("tcp dport 80 reject with icmp port-unreachable", "icmp"),
    ("tcp dport 80 jump helper", "helper"),
    ("tcp dport 80 dnat ip to 10.0.0.1:80", "dnat"),
    ("tcp dport 80 redirect to :30080-30090", ":30080-30090"),
    ("tcp dport 80 redirect", "the end of the line"),
    ("tcp dport 80 log prefix \"door\" drop", "log"),
    ("tcp dport 80 counter packets 0 bytes 0 drop", "packets"),
    ("tcp dport 80 drop; tcp dport 81 drop", ";"),
    ("@ih,0,8 1 drop", "@ih,0,8"),
    ("@th,4,16 set 80 accept", "@th,4,16"),
];
/// Changes to a good file, likewise.
const CHANGED: [(&str, &str, &str); 11] = [
    ("priority -190;", "priority raw - 10;", "raw"),
    ("priority 310;", "priority 311;", "311"),
    ("policy accept;", "policy drop;", "drop"),
    ("type filter hook prerouting", "type filter hook ingress", "ingress"),
    ("type filter hook output", "type route hook output", "route"),
    ("chain output {", "chain output { comment \"answers\";", "comment"),
    ("table inet portgen {", "table inet portgen { flags owner;", "flags"),
    ("delete table inet portgen\n", "", "table"),
    ("delete table inet portgen\n", "destroy table inet portgen\n", "destroy"),
    ("comment \"kong http\"", "comment \"$kong\"", "\"$kong\""),
    ("  }\n}\n", "  }\n", "the end of the file"),
];

#[test]
fn the_list_refuses_whatever_is_newer_or_cleverer() {
    let path = "examples/kong-nodeport-redirect/rendered/kong-nodeport-redirect/nodes/edge/etc/portgen/portgen.nft";
    let good = fs::read_to_string(root().join(path)).unwrap();
    assert!(lint(&good).is_ok());
    // Behind a line, so that it stands where it is meant to.
    let planted =
        [("is lost.\n", &IN_A_FILE[..]), ("table inet portgen {\n", &IN_A_TABLE[..]), ("return\n", &IN_A_CHAIN[..])];
    let planted = planted
        .into_iter()
        .flat_map(|(behind, lines)| lines.iter().map(move |(line, word)| (behind, format!("{behind}{line}\n"), *word)));
    let changed = CHANGED.into_iter().map(|(from, to, word)| (from, to.to_owned(), word));
    for (from, to, word) in planted.chain(changed) {
        let bad = good.replacen(from, &to, 1);
        assert_ne!(good, bad, "{from}");
        // The first line that differs is the one to name.
        let line = good.lines().zip(bad.lines()).take_while(|(one, other)| one == other).count() + 1;
        let expected = if word == "the end of the file" { bad.lines().count() } else { line };
        assert_eq!(lint(&bad).map(|_| ()), Err((expected, word.to_owned())), "{to}");
    }
}

/// The program that `PORTGEN_OLD_NFT` names, or else the one that `.ci/old-nft` leaves in its cache,
/// `~/.cache/portgen-ci/nft-0.9.8/nft`. `none` says that it was looked for and cannot be had.
fn old_nft() -> Option<PathBuf> {
    let program = common::fetched("the oldest nft", ".ci/old-nft", "PORTGEN_OLD_NFT", "nft-0.9.8/nft")?;
    let said = Command::new(&program).arg("--version").output().expect("it runs");
    let said = common::stdout(&said);
    assert!(said.contains(&format!("{OLDEST} ")), "{} is not nft {OLDEST}, but {said}", program.display());
    Some(program)
}

/// Runs a script in a network namespace of its own: `$1` and `$2` are a ruleset and the oldest nft.
fn script(namespace: &[&str], script: &str, ruleset: &Path, old: &Path) -> Output {
    let scratch = tempfile::tempdir().unwrap();
    Command::new(namespace[0])
        .args(&namespace[1..])
        .args(["sh", "-ec", script, "sh"])
        .args([ruleset, old])
        .current_dir(&scratch)
        .output()
        .unwrap()
}

#[test]
fn the_oldest_nft_loads_every_ruleset_and_lists_it_the_same_twice() {
    let Some(old) = old_nft() else { return };
    let Some(namespace) = in_namespace() else {
        available("a network namespace", false);
        return;
    };
    for (name, path) in rulesets() {
        // Stopped as the unit beside it stops it.
        let unit = fs::read_to_string(path.with_file_name("../systemd/system/portgen.service")).unwrap();
        let stop = unit.lines().find_map(|line| line.strip_prefix("ExecStop=/usr/sbin/nft ")).expect("a way to stop");
        let steps = format!(
            "\"$2\" -c -f \"$1\"; \"$2\" list ruleset | cmp - /dev/null
            \"$2\" -f \"$1\"; \"$2\" -s list ruleset > once; grep -q hook once
            \"$2\" -f \"$1\"; \"$2\" -s list ruleset > twice; cmp once twice
            \"$2\" {stop}; \"$2\" list ruleset > none; cmp none /dev/null"
        );
        let output = script(&namespace, &steps, &path, &old);
        let said = common::stdout(&output) + &common::stderr(&output);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}

/// The nft of a node and the one inside kube-proxy's image see the same kernel: whichever loaded the rules, each lists
/// what it lists after loading them itself. Where maps are written by 1.1, 0.9.8 to 1.0.9 crash here.
#[test]
fn the_oldest_nft_and_this_one_list_alike_what_either_loaded() {
    let Some(old) = old_nft() else { return };
    let Some(namespace) = in_namespace().filter(|_| has("nft")) else {
        available("nft in a network namespace", false);
        return;
    };
    for (name, path) in rulesets() {
        let steps = "\"$2\" -f \"$1\"; \"$2\" -s list ruleset > old-old; nft -s list ruleset > old-new
            nft -f \"$1\"; \"$2\" -s list ruleset > new-old; nft -s list ruleset > new-new
            \"$2\" -j list ruleset > json; grep -q hook json
            cmp old-old new-old; cmp old-new new-new; grep -q hook old-old";
        let output = script(&namespace, steps, &path, &old);
        let said = common::stdout(&output) + &common::stderr(&output);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}
