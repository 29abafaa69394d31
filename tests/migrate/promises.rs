//! What somebody who follows the steps relies on, one promise a test.

use std::path::Path;
use std::process::{Command, Output};

use portgen::migrate::Gap;

use super::*;

const CILIUM: &str = "{type: cilium, version: \"1.20\", kubeProxyReplacement: true}";
const SOURCES: &str = "allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]";

/// The steps between two exposures of a spec that is changed before.
fn walked(change: impl Fn(&str) -> String, proxy: &str, from: &str, to: &str) -> Migration {
    let [old, new] = [from, to].map(|exposure| planned(&change(&spec(proxy, exposure))).unwrap());
    let bridge = planned(&change(&spec(proxy, "{strategy: nodePortRedirect}"))).ok();
    migrate(&old, &new, bridge.as_ref(), &kong()).unwrap()
}

fn position(step: &Step, word: &str) -> Option<usize> {
    step.commands.iter().position(|command| command.contains(word))
}

fn sees<'a>(step: &'a Step, words: &str) -> Vec<&'a str> {
    let checks = step.checks.iter().filter(|check| check.sees.contains(words));
    checks.flat_map(|check| check.commands.iter().map(String::as_str)).collect()
}

/// What is told of a migration, where there is one.
fn text(spec: &str, arguments: &[&str]) -> String {
    let (_folder, output) = told(spec, arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[test]
fn nodes_without_a_pod_are_a_gap_from_the_step_on_that_needs_one() {
    let one_pod = |spec: &str| spec.replace("replicas: 2", "replicas: 1");
    let left_out = Gap::FewerNodes { pods: 1, nodes: 2 };
    let host_network = format!("{{strategy: hostNetwork, {SOURCES}}}");
    let redirect = "{strategy: nodePortRedirect}";
    let local = "{strategy: nodePortRedirect, externalTrafficPolicy: Local}";
    for (to, from_step_on) in [
        ("{strategy: hostNetwork}", "Lead the nodes' ports the new way"),
        ("{strategy: hostPort}", "Lead the nodes' ports the new way"),
        (host_network.as_str(), "Let each node's clients meet"),
        (local, "Take away what only the old way needed"),
    ] {
        let migration = walked(one_pod, PROXIES[0].1, redirect, to);
        let found: Vec<&Step> = migration.steps.iter().filter(|step| step.gaps.contains(&left_out)).collect();
        assert_eq!(found.len(), 1, "{to}");
        assert!(found[0].what.to_string().starts_with(from_step_on), "{to}: {}", found[0].what);
        assert_eq!(walked(str::to_owned, PROXIES[0].1, redirect, to).gaps().next(), None, "{to}");
    }
    // Who had no more before loses nothing.
    assert_eq!(walked(one_pod, PROXIES[0].1, local, "{strategy: hostNetwork}").gaps().next(), None);
    let warned = text(
        &one_pod(&spec(PROXIES[0].1, redirect)),
        &["--to", "nodePortRedirect", "--set", "externalTrafficPolicy=Local"],
    );
    assert!(warned.contains("with one gap") && warned.contains("warning, node-without-pod:"), "{warned}");
}

#[test]
fn node_files_come_before_pods_where_only_they_lead_to_them() {
    let host_port = "{strategy: hostPort}";
    let steps = walked(str::to_owned, CILIUM, host_port, "{strategy: hostNetwork}").steps;
    let rolls = |step: &&Step| step.changes.iter().any(|change| change.path.starts_with("helm"));
    let (files, pods) = (&steps[0], steps.iter().find(rolls).unwrap());
    assert!(files.changes.iter().all(|change| change.path.starts_with("nodes")), "{:?}", files.changes);
    assert!(!sees(files, "hostPort still answers").is_empty());
    assert_eq!(pods.gaps, [Gap::NodeByNode]);
    assert!(sees(pods, "hostPort").is_empty() && !sees(pods, "hostNetwork answers").is_empty(), "{:?}", pods.checks);
    let [redirect, direct] = ["{strategy: hostNetwork}", "{strategy: hostNetwork, bind: direct}"];
    for (from, to) in [(redirect, direct), (direct, redirect)] {
        let steps = walked(str::to_owned, PROXIES[0].1, from, to).steps;
        let pods = steps.iter().find(rolls).unwrap();
        assert_eq!(pods.gaps, [Gap::EveryNode], "{from}");
        assert!(sees(pods, "answers").is_empty(), "nobody is answered yet: {:?}", pods.checks);
    }
}

#[test]
fn a_node_port_is_tried_before_anybody_moves_there() {
    let steps = |from: &str| walked(str::to_owned, PROXIES[0].1, from, "{strategy: nodePort}").steps;
    for from in EXPOSURES.iter().filter(|it| it.0 != "nodePort" && it.0 != "ciliumLoadBalancer") {
        let steps = steps(&format!("{{{}}}", from.1));
        let moves = steps.iter().position(|step| matches!(step.what, What::Move(..))).unwrap();
        if moves > 0
            && steps[moves].gaps.is_empty()
            && !steps.iter().any(|step| step.gaps.contains(&Gap::ServiceReplaced))
        {
            let tried = sees(&steps[0], "nodePort answers");
            assert!(tried.iter().any(|line| line.contains(":30080/")), "{}: {:?}", from.0, steps[0].checks);
        }
        let first = &steps[moves].checks[0];
        assert!(first.sees.starts_with("nodePort answers"), "{}: {first:?}", from.0);
    }
}

/// Runs a block of a page as somebody pastes it: portgen is the real one, other commands note what they get.
fn pasted(folder: &Path, block: &str) -> Output {
    let stubs = folder.join("stubs");
    fs::create_dir_all(&stubs).unwrap();
    let write = |name: &str, text: &str| {
        let path = stubs.join(name);
        fs::write(&path, text).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(path).status().unwrap().success());
    };
    let portgen = env!("CARGO_BIN_EXE_portgen");
    write("portgen", &format!("#!/bin/sh\nexec '{portgen}' \"$@\"\n"));
    write("helm", "#!/bin/sh\nfor file; do :; done\ncat \"$file\" > \"$STUBS/applied\"\n");
    write("kubectl", "#!/bin/sh\nfor folder; do :; done\ntest -d \"$folder\"\n");
    let path = format!("{}:{}", stubs.display(), std::env::var("PATH").unwrap());
    let shell = |command: &mut Command| command.current_dir(folder).env("PATH", path).env("STUBS", &stubs).output();
    shell(Command::new("sh").args(["-c", block])).unwrap()
}

/// The block of a Markdown page below a title, in a step.
fn block(page: &str, step: usize, title: &str) -> String {
    let step = page.split(&format!("\n## {step}. ")).nth(1).unwrap().split("\n## ").next().unwrap();
    let below = step.split(&format!("\n{title}\n")).nth(1).unwrap_or_else(|| panic!("no {title} in {step}"));
    below.split("```sh\n").nth(1).unwrap().split("\n```").next().unwrap().to_owned()
}

#[test]
fn what_a_step_says_is_pasted_where_it_was_told_and_undone_there() {
    let old = spec(PROXIES[0].1, "{strategy: hostNetwork}");
    let (folder, output) = told(&old, &["--to", "nodePortRedirect", "--format", "markdown"]);
    let page = stdout(&output);
    assert!(portgen(folder.path(), &["render"]).status.success());
    let values = || fs::read_to_string(folder.path().join("rendered/lab/helm/kong.values.yaml")).unwrap();
    let applied = || fs::read_to_string(folder.path().join("stubs/applied")).unwrap();
    let before = values();
    for title in ["Write the tree, look at it and commit it:", "Apply:"] {
        let output = pasted(folder.path(), &block(&page, 1, title));
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_ne!(values(), before);
    assert_eq!(applied(), values());
    let back = pasted(folder.path(), &block(&page, 1, "To go back:"));
    assert!(back.status.success(), "{}", stderr(&back));
    assert_eq!(applied(), before, "what was there is applied again");
    // Where the tree before cannot be written, nothing is applied.
    fs::remove_file(folder.path().join("portgen.yaml")).unwrap();
    fs::remove_file(folder.path().join("stubs/applied")).unwrap();
    assert!(!pasted(folder.path(), &block(&page, 1, "To go back:")).status.success());
    assert!(!folder.path().join("stubs/applied").exists());
}

/// A second pool that the gateway does not run on: its nodes have the node port all the same.
fn other_pool(spec: &str) -> String {
    spec.replace(
        "nodePools:\n  edge:",
        "nodePools:\n  other: {nodeSelector: {pool: other}, os: debian-12, count: 2}\n  edge:",
    )
}

#[test]
fn node_ports_are_no_way_around_an_allow_list_between_two_trees() {
    let [redirect, host_network] =
        ["nodePortRedirect", "hostNetwork"].map(|strategy| format!("{{strategy: {strategy}, {SOURCES}}}"));
    let metallb = format!("{{strategy: metalLB, addresses: [198.51.100.10/32, \"2001:db8:5::10/128\"], {SOURCES}}}");
    let pairs = [
        (&redirect, &host_network),
        (&redirect, &metallb),
        (&host_network, &redirect),
        (&metallb, &redirect),
        (&host_network, &metallb),
    ];
    for (from, to) in pairs {
        let migration = walked(other_pool, PROXIES[0].1, from, to);
        for step in &migration.steps {
            let open = services(&step.plan).iter().any(|way| way.needs.service_type == ServiceType::NodePort);
            let rules = |pool: &str| {
                let path = format!("nodes/{pool}/etc/portgen/portgen.nft");
                step.tree.get(path).map(|file| file.text.clone()).unwrap_or_default()
            };
            for pool in ["edge", "other"].into_iter().filter(|_| open) {
                assert!(
                    rules(pool).contains("tcp dport 30080 counter drop"),
                    "{from} to {to}: pool {pool} after {}: {}",
                    step.what,
                    rules(pool)
                );
            }
        }
    }
    let (first, last) = ("tar -C /", "helm upgrade --install kong");
    let steps = walked(other_pool, PROXIES[0].1, &host_network, &redirect).steps;
    assert!(position(&steps[0], first) < position(&steps[0], last), "a guard comes first: {:?}", steps[0].commands);
    let steps = walked(other_pool, PROXIES[0].1, &redirect, &host_network).steps;
    let finish = steps.last().unwrap();
    assert!(position(finish, last) < position(finish, first), "a guard goes last: {:?}", finish.commands);
}

#[test]
fn every_command_has_the_folders_that_were_given() {
    let (folder, _) = told(&spec(PROXIES[0].1, "{strategy: nodePortRedirect}"), &["--to", "nodePort"]);
    fs::create_dir(folder.path().join("ch")).unwrap();
    let output = portgen(folder.path(), &["migrate", "--to", "nodePort", "-o", "out", "--charts", "ch"]);
    let told = stdout(&output);
    for command in
        ["portgen render portgen.yaml --charts ch -o out\n", "portgen render --check portgen.yaml --charts ch -o out`"]
    {
        assert!(told.contains(command), "{command}: {told}");
    }
    assert!(told.contains("--to nodePort --charts ch -o out --step 1") && told.contains("cd out/lab"), "{told}");
}

#[test]
fn after_a_service_was_made_anew_names_do_not_go_back_by_themselves() {
    let told = text(
        &spec(PROXIES[0].1, "{strategy: cloudLoadBalancer, provider: aws}"),
        &["--to", "externalIPs", "--set", "form=status"],
    );
    assert!(!told.contains("what they resolved to before"), "{told}");
    assert!(told.contains("may give it another address or name"), "{told}");
}

#[test]
fn what_the_old_way_was_accepted_for_does_not_hold_the_new_one_back() {
    let accept = "    accept:\n      - {rule: deprecated-feature, reason: leaving}\n";
    let old = spec(PROXIES[0].1, "{strategy: externalIPs}").replace("\"1.34\"", "\"1.36\"") + accept;
    let set = "addresses=[198.51.100.10/32, '2001:db8:5::10/128']";
    let (folder, output) = told(&old, &["--to", "metalLB", "--set", set]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let told = stdout(&output);
    assert!(told.contains("# out of `accept` of kong, as there is nothing to accept: deprecated-feature"), "{told}");
    let exposure = "{strategy: metalLB, addresses: [198.51.100.10/32, \"2001:db8:5::10/128\"]}";
    let new = old.replace("{strategy: externalIPs}", exposure).replace(accept, "");
    fs::write(folder.path().join("portgen.yaml"), new).unwrap();
    let checked = portgen(folder.path(), &["check", "--deny", "warning"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
}

#[test]
fn checks_tell_the_new_way_from_the_old_one() {
    let steps = walked(str::to_owned, PROXIES[0].1, "{strategy: nodePortRedirect}", "{strategy: externalIPs}").steps;
    assert!(sees(&steps[0], "externalIPs answers").is_empty(), "the rewrite answers there: {:?}", steps[0].checks);
    for step in steps.iter().filter(|step| step.changes.iter().any(|change| change.path.starts_with("nodes"))) {
        let seen = [sees(step, "has the files of this step"), sees(step, "nothing of portgen's is left")].concat();
        assert!(!seen.is_empty(), "{}: {:?}", step.what, step.checks);
    }
    let asked = sees(steps.last().unwrap(), "externalIPs answers").join("\n");
    for address in ["192.0.2.11", "192.0.2.12", "'[2001:db8:64::11]'", "'[2001:db8:64::12]'"] {
        assert!(asked.contains(address), "{address}: {asked}");
    }
}

#[test]
fn cilium_is_not_restarted_for_values_that_it_keeps() {
    let announced = "{strategy: ciliumLoadBalancer, addresses: [198.51.100.30/32, \"2001:db8:5::30/128\"]}";
    let steps = walked(str::to_owned, CILIUM, announced, "{strategy: nodePort}").steps;
    assert!(steps.iter().all(|step| position(step, "helm upgrade cilium").is_none()));
    let kept =
        "# stays in Cilium's values, though no gateway of this tree needs it: l2announcements, k8sClientRateLimit";
    let last = steps.last().unwrap();
    assert!(position(last, kept).is_some(), "{:?}", last.commands);
    assert!(!last.back.iter().any(|command| command.contains("helm upgrade cilium")), "{:?}", last.back);
    let steps = walked(str::to_owned, CILIUM, "{strategy: nodePort}", announced).steps;
    assert!(position(&steps[0], "helm upgrade cilium").is_some());
    assert!(!steps[0].back.iter().any(|command| command.contains("helm upgrade cilium")), "{:?}", steps[0].back);
}

#[test]
fn a_step_is_written_over_no_tree_but_that_of_another_step() {
    let old = spec(PROXIES[0].1, "{strategy: nodePortRedirect}");
    let (folder, _) = told(&old, &["--to", "nodePort"]);
    let run = |arguments: &[&str]| portgen(folder.path(), arguments);
    let step = |number: &str, more: &[&str]| run(&[&["migrate", "--to", "nodePort", "--step", number], more].concat());
    assert!(run(&["render"]).status.success());
    let rules = folder.path().join("rendered/lab/nodes/edge/etc/portgen/portgen.nft");
    let written = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, written.clone() + "# mine\n").unwrap();
    for number in ["1", "3"] {
        let refused = step(number, &[]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        let told = stderr(&refused);
        assert!(told.contains("portgen.nft` would change with step") && told.contains("--force"), "{told}");
    }
    assert!(step("1", &["--force"]).status.success());
    assert!(step("0", &[]).status.success());
    assert_eq!(fs::read_to_string(&rules).unwrap(), written);
    // What else the spec says since it was rendered is no part of a step.
    fs::write(folder.path().join("portgen.yaml"), old.replace("replicas: 2", "replicas: 1")).unwrap();
    let refused = step("1", &[]);
    assert!(stderr(&refused).contains("helm/kong.values.yaml"), "{}", stderr(&refused));
    assert!(run(&["render"]).status.success());
    for number in ["1", "3", "4", "3"] {
        let output = step(number, &[]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[test]
fn a_tree_in_between_says_that_it_is_one() {
    let (folder, _) = told(&spec(PROXIES[0].1, "{strategy: nodePortRedirect}"), &["--to", "hostNetwork"]);
    let output = portgen(folder.path(), &["migrate", "--to", "hostNetwork", "--step", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let readme = fs::read_to_string(folder.path().join("rendered/lab/README.md")).unwrap();
    assert!(readme.starts_with("# Cluster lab, on its way: step 1 of 4\n"), "{readme}");
    for words in ["--to hostNetwork --step 1`\n", "Then comes step 2: Replace the pods.", "To go back:"] {
        assert!(readme.contains(words), "{words}: {readme}");
    }
    assert!(!readme.contains("What is exposed"), "{readme}");
}

#[test]
fn what_is_to_be_written_is_right_above_a_base_too() {
    let base = spec(PROXIES[0].1, "{strategy: nodePortRedirect, limits: {connectionsPerSource: 9}}");
    let (folder, _) = told(&base, &["--to", "nodePort"]);
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("base.yaml", &base);
    file("portgen.yaml", "extends: [base.yaml]\n");
    let output = portgen(folder.path(), &["migrate", "--to", "nodePort"]);
    let told = stdout(&output);
    let written = told.split("Write into the spec:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let written: String = written.lines().flat_map(|line| [&line[5..], "\n"]).collect();
    assert!(written.contains("limits: null"), "{written}");
    file("portgen.yaml", &format!("extends: [base.yaml]\n{written}"));
    let checked = portgen(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
}

#[test]
fn where_nothing_would_change_there_are_no_steps() {
    let old = spec(PROXIES[0].1, "{strategy: nodePortRedirect}");
    let (_folder, output) = told(&old, &["--to", "nodePortRedirect", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["steps"], serde_json::json!([]));
    let (folder, output) = told(&old, &["--to", "nodePortRedirect", "--step", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(folder.path().join("rendered/lab/README.md").exists());
    let (_folder, output) = told(&old, &["--to", "nodePortRedirect", "--step", "1"]);
    assert_eq!(output.status.code(), Some(2), "whoever goes back must not go on with this tree");
}

#[test]
fn a_session_has_its_password_before_clients_depend_on_it() {
    let bgp = "bgp: {localASN: 64512, peers: {a: {address: 192.0.2.1, asn: 64513, passwordSecret: bgp-a}, b: {address: \"2001:db8:64::1\", asn: 64513}}}";
    let pool = "addresses: [198.51.100.10/32, 2001:db8:5::10/128]";
    let elsewhere = CILIUM.replace('}', ", values: {bgpControlPlane: {secretsNamespace: {name: routing}}}}");
    for (proxy, to, namespace) in [
        (PROXIES[0].1, format!("{{strategy: metalLB, mode: bgp, {pool}, {bgp}}}"), "metallb-system"),
        (CILIUM, format!("{{strategy: ciliumLoadBalancer, announce: bgp, {pool}, {bgp}}}"), "kube-system"),
        (&elsewhere, format!("{{strategy: ciliumLoadBalancer, announce: bgp, {pool}, {bgp}}}"), "routing"),
    ] {
        let steps = walked(str::to_owned, proxy, "{strategy: nodePort}", &to).steps;
        let secret = format!("kubectl -n {namespace} create secret generic bgp-a ");
        let asked = steps.iter().position(|step| position(step, &secret).is_some()).expect(namespace);
        let moves = steps.iter().position(|step| matches!(step.what, What::Move(..))).unwrap();
        assert!(asked < moves, "{namespace}: {asked} and {moves}");
        assert!(steps.iter().all(|step| position(step, "create secret generic b ").is_none()));
    }
}

/// A range that the API server does not have ends the block before a Service asks for a port of it.
#[test]
fn a_missing_range_of_node_ports_stops_the_step() {
    let wide = |spec: &str| spec.replace("  ipFamilies", "  nodePortRange: 80-32767\n  ipFamilies");
    let steps = walked(wide, PROXIES[0].1, "{strategy: hostNetwork}", "{strategy: nodePort}").steps;
    let guard = |step: &Step| position(step, "--service-node-port-range=80-32767");
    let step = steps.iter().find(|step| guard(step).is_some()).unwrap();
    let line = &step.commands[guard(step).unwrap()];
    let run = |seen: &str| {
        let fake = format!("set -e; kubectl() {{ echo '{seen}'; }}\n({line}\necho goes on)");
        Command::new("sh").args(["-c", &fake]).output().unwrap()
    };
    let there = run("- --service-node-port-range=80-32767");
    assert!(there.status.success() && stdout(&there).contains("goes on") && stderr(&there).is_empty());
    let missing = run("- --other");
    assert!(!missing.status.success() && stderr(&missing).contains("kube-apiserver/kubeadm.yaml"));
    assert!(guard(step) < position(step, "helm upgrade"), "{:?}", step.commands);
}

#[test]
fn what_two_ways_cannot_have_at_once_is_a_gap() {
    let kind = |spec: &str| spec.replace("  ipFamilies", "  distribution: {type: kind}\n  ipFamilies");
    let pool = "addresses: [198.51.100.10/32, 2001:db8:5::10/128]";
    let balancer = format!("{{strategy: metalLB, {pool}}}");
    let gaps = |change: &dyn Fn(&str) -> String, proxy: &str, from: &str, to: &str| -> Vec<Gap> {
        walked(change, proxy, from, to).gaps().collect()
    };
    assert!(gaps(&kind, PROXIES[0].1, &balancer, "{strategy: nodePortRedirect}").contains(&Gap::PortsOfKind));
    let cilium = format!("{{strategy: ciliumLoadBalancer, {pool}}}");
    assert_eq!(gaps(&str::to_owned, CILIUM, &balancer, &cilium), [Gap::SharedAddresses]);
    let node = "{strategy: ciliumLoadBalancer, announce: node}";
    assert_eq!(gaps(&str::to_owned, CILIUM, "{strategy: hostPort}", node), [Gap::OneEntry]);
    assert_eq!(gaps(&str::to_owned, CILIUM, "{strategy: hostPort}", &cilium), []);
}

#[test]
fn a_program_is_told_to_write_the_last_tree_too() {
    let spec = spec(PROXIES[0].1, "{strategy: nodePortRedirect}");
    let told: serde_json::Value =
        serde_json::from_str(&text(&spec, &["--to", "nodePort", "--format", "json", "-o", "out put"])).unwrap();
    assert_eq!(told["folder"], "out put/lab");
    let last = told["steps"].as_array().unwrap().last().unwrap();
    assert!(last["write"][0].as_str().unwrap().starts_with("portgen render "), "{last}");
}
