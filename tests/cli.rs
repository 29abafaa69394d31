//! The commands as a user and a pipeline meet them: exit codes, streams, what is written and what is left alone.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{portgen, root, stderr, stdout};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portgen");

/// A folder with the first example's spec in it.
fn scene() -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    fs::copy(root().join("examples/kong-nodeport-redirect/portgen.yaml"), scene.path().join("portgen.yaml")).unwrap();
    scene
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("portgen.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

const STRATEGIES: [&str; 8] = [
    "nodePortRedirect",
    "nodePort",
    "hostNetwork",
    "hostPort",
    "metalLB",
    "ciliumLoadBalancer",
    "cloudLoadBalancer",
    "externalIPs",
];

/// What does not go together, and the rule that says so.
fn refused(chart: &str, strategy: &str, plane: &str) -> Option<&'static str> {
    match (chart, strategy, plane) {
        (_, "nodePortRedirect", "cilium") => Some("redirect-under-cilium"),
        ("apisix", "hostPort", _) => Some("chart-cannot-express"),
        (_, "ciliumLoadBalancer", plane) if plane != "cilium" => Some("cilium-address-unserved"),
        (_, "externalIPs", "ipvs") => Some("external-ips-beside-ipvs"),
        _ => None,
    }
}

#[test]
fn every_starter_is_a_spec_without_a_fault() {
    for chart in ["kong", "apisix"] {
        for strategy in STRATEGIES {
            for plane in ["iptables", "nftables", "ipvs", "cilium"] {
                let scene = tempfile::tempdir().unwrap();
                let init = ["init", "--name", "lab", "--chart", chart, "--strategy", strategy, "--data-plane", plane];
                let output = portgen(scene.path(), &init);
                if let Some(rule) = refused(chart, strategy, plane) {
                    assert_eq!(output.status.code(), Some(2), "{chart} {strategy} {plane}");
                    let said = stderr(&output);
                    assert!(said.contains(&format!("portgen explain {rule}`")), "{chart} {strategy} {plane}: {said}");
                    assert!(!scene.path().join("portgen.yaml").exists());
                    continue;
                }
                assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
                let checked = portgen(scene.path(), &["check", "--deny", "warning"]);
                // Whether the nodes have iptables, their owner knows.
                let warned = (strategy, plane) == ("hostPort", "ipvs");
                let said = stdout(&checked);
                assert_eq!(checked.status.code(), Some(i32::from(warned)), "{chart} {strategy} {plane}: {said}");
                assert_eq!(said.matches("warning[").count(), usize::from(warned), "{said}");
                assert!(!warned || said.contains("warning[host-port-beside-ipvs]"), "{said}");
                assert_eq!(portgen(scene.path(), &["render"]).status.code(), Some(0));
                assert!(scene.path().join("rendered/lab/.portgen.lock").is_file());
                let again = portgen(scene.path(), &init);
                assert_eq!(again.status.code(), Some(2), "init never overwrites");
                assert!(stderr(&again).contains("exists and is left as it is"), "{}", stderr(&again));
            }
        }
    }
}

#[test]
fn check_exits_by_what_it_finds() {
    let scene = scene();
    assert_eq!(portgen(scene.path(), &["check"]).status.code(), Some(0));
    edit(scene.path(), "{min: 2, max: 5", "{min: 1, max: 5");
    assert_eq!(portgen(scene.path(), &["check"]).status.code(), Some(0), "a warning is no error");
    assert_eq!(portgen(scene.path(), &["check", "--deny", "warning"]).status.code(), Some(1));
    edit(scene.path(), "nodePort: 30080", "nodePort: 81");
    assert_eq!(portgen(scene.path(), &["check"]).status.code(), Some(1));
    assert_eq!(portgen(scene.path(), &["check", "nowhere.yaml"]).status.code(), Some(2));
    assert_eq!(portgen(scene.path(), &["chekc"]).status.code(), Some(2));
}

#[test]
fn a_finding_names_its_place_in_every_format() {
    let scene = scene();
    edit(scene.path(), "nodePort: 30080", "nodePort: 81");
    let line = fs::read_to_string(scene.path().join("portgen.yaml"))
        .unwrap()
        .lines()
        .position(|line| line.contains("nodePort: 81"))
        .unwrap()
        + 1;
    let report = json(&portgen(scene.path(), &["check", "--format", "json"]));
    let finding = &report["findings"][0];
    assert_eq!((&finding["rule"], &finding["severity"]), (&"node-port-out-of-range".into(), &"error".into()));
    assert_eq!((&finding["file"], &finding["line"]), (&"portgen.yaml".into(), &line.into()));
    assert_eq!(finding["route"], "gateways.kong.ports.http.nodePort");
    assert_eq!(report["summary"]["errors"], 1);

    let sarif = json(&portgen(scene.path(), &["check", "--format", "sarif"]));
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "node-port-out-of-range");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], line);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(rules[index]["id"], "node-port-out-of-range");

    let github = stdout(&portgen(scene.path(), &["check", "--format", "github"]));
    assert!(github.starts_with(&format!("::error file=portgen.yaml,line={line},endLine={line},col=")), "{github}");

    let markdown = stdout(&portgen(scene.path(), &["check", "--format", "markdown"]));
    assert!(markdown.contains(&format!("| error | `portgen.yaml:{line}:")), "{markdown}");

    let text = stdout(&portgen(scene.path(), &["check"]));
    assert!(text.contains(&format!("--> portgen.yaml:{line}:")) && text.contains("nodePort: 81"), "{text}");
}

#[test]
fn standard_input_folders_and_several_specs() {
    let scene = scene();
    let mut child = Command::new(PROGRAM)
        .args(["render", "-"])
        .current_dir(scene.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(scene.path().join("portgen.yaml")).unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(scene.path().join("rendered/kong-nodeport-redirect").is_dir());

    fs::create_dir_all(scene.path().join("clusters/a")).unwrap();
    fs::copy(scene.path().join("portgen.yaml"), scene.path().join("clusters/a/one.yaml")).unwrap();
    let two = fs::read_to_string(scene.path().join("portgen.yaml"))
        .unwrap()
        .replace("name: kong-nodeport-redirect", "name: two");
    fs::write(scene.path().join("clusters/two.yml"), two).unwrap();
    fs::write(scene.path().join("clusters/values.yaml"), "kind: Cluster\napiVersion: cluster.x-k8s.io/v1beta1\n")
        .unwrap();
    fs::write(scene.path().join("clusters/template.yaml"), "{{ if }}").unwrap();
    let output = portgen(scene.path(), &["render", "clusters", "-o", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let mut trees: Vec<_> = fs::read_dir(scene.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    trees.sort();
    assert_eq!(trees, ["kong-nodeport-redirect", "two"]);

    let twice = portgen(scene.path(), &["check", "portgen.yaml", "clusters/a/one.yaml"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(stderr(&twice).contains("two specs are called"), "{}", stderr(&twice));
    fs::create_dir(scene.path().join("empty")).unwrap();
    assert_eq!(portgen(scene.path(), &["check", "empty"]).status.code(), Some(2));
}

#[test]
fn one_refused_spec_keeps_every_tree_as_it_was() {
    let scene = scene();
    let good = fs::read_to_string(scene.path().join("portgen.yaml")).unwrap();
    fs::create_dir(scene.path().join("specs")).unwrap();
    fs::write(scene.path().join("specs/good.yaml"), good.replace("name: kong-nodeport-redirect", "name: good"))
        .unwrap();
    fs::write(scene.path().join("specs/bad.yaml"), good.replace("nodePort: 30080", "nodePort: 81")).unwrap();
    let output = portgen(scene.path(), &["render", "specs"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!scene.path().join("rendered").exists());
    assert!(stderr(&output).contains("nothing was written"), "{}", stderr(&output));
}

#[test]
fn files_of_others_are_named_and_left_alone() {
    let scene = scene();
    let tree = scene.path().join("rendered/kong-nodeport-redirect");
    assert_eq!(portgen(scene.path(), &["render"]).status.code(), Some(0));
    let values = tree.join("helm/kong.values.yaml");
    let written = fs::read_to_string(&values).unwrap();
    fs::write(&values, "edited: true\n").unwrap();
    fs::write(tree.join("notes.txt"), "mine").unwrap();

    let output = portgen(scene.path(), &["render"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("helm/kong.values.yaml` was edited by hand"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&values).unwrap(), "edited: true\n");
    let check = portgen(scene.path(), &["render", "--check"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(
        stdout(&check).contains("edited by hand: rendered/kong-nodeport-redirect/helm/kong.values.yaml"),
        "{}",
        stdout(&check)
    );

    let forced = portgen(scene.path(), &["render", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert_eq!(fs::read_to_string(&values).unwrap(), written);
    assert_eq!(fs::read_to_string(tree.join("notes.txt")).unwrap(), "mine");
    assert!(stderr(&forced).contains("notes.txt is not portgen's"), "{}", stderr(&forced));
}

#[test]
fn what_a_spec_no_longer_says_leaves_the_tree() {
    let scene = scene();
    let limits = scene.path().join("rendered/kong-nodeport-redirect/nodes/edge/etc/portgen/limits.v4");
    portgen(scene.path(), &["render"]);
    assert!(limits.is_file());
    edit(scene.path(), "      limits: {connectionsPerSource: 100, newConnectionsPerSecond: 10, burst: 20}\n", "");
    let diff = portgen(scene.path(), &["diff", "--format", "json"]);
    assert_eq!(diff.status.code(), Some(1));
    let changes = json(&diff)["clusters"][0]["changes"].clone();
    assert_eq!(
        (&changes[0]["change"], &changes[0]["path"]),
        (&"removed".into(), &"nodes/edge/etc/portgen/limits.v4".into()),
        "removals come first"
    );
    portgen(scene.path(), &["render"]);
    assert!(!limits.exists());
    assert_eq!(portgen(scene.path(), &["diff"]).status.code(), Some(0));
    assert_eq!(portgen(scene.path(), &["render", "--check"]).status.code(), Some(0));
}

#[test]
fn a_change_points_at_the_line_that_causes_it() {
    let scene = scene();
    portgen(scene.path(), &["render"]);
    edit(scene.path(), "allowFrom: [10.0.0.0/8]", "allowFrom: [10.0.0.0/8, 192.0.2.0/24]");
    let output = portgen(scene.path(), &["diff"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("-    ip saddr != 10.0.0.0/8 tcp dport 80 counter drop"), "{text}");
    assert!(text.contains("+    ip saddr != { 10.0.0.0/8, 192.0.2.0/24 } tcp dport 80 counter drop"), "{text}");
    assert!(text.contains("# from portgen.yaml:14"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");
    let coloured = stdout(&portgen(scene.path(), &["diff", "--color", "always"]));
    assert!(coloured.contains("\u{1b}[31m-    ip saddr"), "{coloured}");
    let missing = portgen(scene.path(), &["diff", "--against", "no-such-folder"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("there is no folder `no-such-folder`"), "{}", stderr(&missing));
    let outside = portgen(scene.path(), &["diff", "--against", "git:HEAD"]);
    assert_eq!(outside.status.code(), Some(2));
    assert!(stderr(&outside).contains("this folder is in none"), "{}", stderr(&outside));
}

#[test]
fn a_diff_against_a_revision() {
    if !common::available("git", common::has("git")) {
        return;
    }
    let scene = scene();
    portgen(scene.path(), &["render"]);
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .current_dir(scene.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "one"]);
    assert_eq!(portgen(scene.path(), &["diff", "--against", "git:HEAD"]).status.code(), Some(0));
    edit(scene.path(), "port: 80,", "port: 8080,");
    portgen(scene.path(), &["render"]);
    assert_eq!(portgen(scene.path(), &["diff"]).status.code(), Some(0));
    let output = portgen(scene.path(), &["diff", "--against", "git:HEAD"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("+    tcp dport 8080 counter tcp dport set 30080 accept"), "{}", stdout(&output));
    assert_eq!(portgen(scene.path(), &["diff", "--against", "git:--output=x"]).status.code(), Some(2));
    let unknown = portgen(scene.path(), &["diff", "--against", "git:no-such"]);
    assert!(stderr(&unknown).contains("git knows no revision `no-such`"), "{}", stderr(&unknown));

    // From a subfolder, and from another folder of trees.
    fs::create_dir(scene.path().join("sub")).unwrap();
    fs::copy(scene.path().join("portgen.yaml"), scene.path().join("sub/portgen.yaml")).unwrap();
    portgen(&scene.path().join("sub"), &["render", "-o", "out"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "two"]);
    let there = portgen(&scene.path().join("sub"), &["diff", "--against", "git:HEAD:out"]);
    assert_eq!(there.status.code(), Some(0), "{}", stdout(&there));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_out_of_a_tree() {
    let scene = scene();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(scene.path().join("rendered/kong-nodeport-redirect")).unwrap();
    std::os::unix::fs::symlink(outside.path(), scene.path().join("rendered/kong-nodeport-redirect/nodes")).unwrap();
    let output = portgen(scene.path(), &["render", "--force"]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let script = format!(
        "'{PROGRAM}' explain --list | head -n 1 >/dev/null; '{PROGRAM}' completions bash | head -n 1 >/dev/null"
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn explain_finds_pages_and_suggests_them() {
    for topic in ["single-replica", "nodePortRedirect", "hostNetwork", "metalLB", "yaml-duplicate-key"] {
        let output = portgen(&root(), &["explain", topic]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).starts_with(&format!("# {topic}\n")));
    }
    let output = portgen(&root(), &["explain", "single-replicas"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `single-replica`?"));
    assert!(stdout(&portgen(&root(), &["explain", "--list"])).lines().count() > 60);
}

#[test]
fn packagers_get_what_they_ask_for() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&portgen(&root(), &["completions", shell])).contains("render"), "{shell}");
    }
    let man = stdout(&portgen(&root(), &["man"]));
    for word in [".TH portgen", "render", "\\-\\-against"] {
        assert!(man.contains(word), "{word}");
    }
    let schema = portgen(&root(), &["schema"]);
    assert_eq!(stdout(&schema), fs::read_to_string(root().join("schemas/portgen.schema.json")).unwrap());
}

#[test]
fn a_chart_folder_needs_no_rebuild() {
    let scene = scene();
    let folder = scene.path().join("charts/mine");
    fs::create_dir_all(&folder).unwrap();
    let built_in = root().join("templates/charts/kong");
    let profile =
        fs::read_to_string(built_in.join("profile.yaml")).unwrap().replace("\nname: kong\n", "\nname: mine\n");
    fs::write(folder.join("profile.yaml"), profile).unwrap();
    fs::copy(built_in.join("keys.yaml"), folder.join("keys.yaml")).unwrap();
    fs::write(folder.join("values.yaml.j2"), "ports: {{ listeners.http.nodePort }}\ntype: {{ service.type }}\n")
        .unwrap();
    edit(scene.path(), "chart: kong", "chart: mine");
    let unknown = portgen(scene.path(), &["check"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stdout(&unknown).contains("no chart is called `mine`"), "{}", stdout(&unknown));
    let output = portgen(scene.path(), &["render", "--charts", "charts"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let values =
        fs::read_to_string(scene.path().join("rendered/kong-nodeport-redirect/helm/kong.values.yaml")).unwrap();
    assert!(values.ends_with("ports: 30080\ntype: NodePort\n"), "{values}");

    fs::write(folder.join("values.yaml.j2"), "x: {{ nothing }}\n").unwrap();
    let broken = portgen(scene.path(), &["render", "--charts", "charts"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(stderr(&broken).contains("mine/values.yaml.j2"), "{}", stderr(&broken));
}

#[test]
fn what_a_user_wrote_is_no_markup_and_moves_no_cursor() {
    let scene = scene();
    edit(scene.path(), "{min: 2, max: 5", "{min: 1, max: 5");
    let accept = "    accept: [{rule: single-replica, reason: '``` | <img src=x> [a](b)'}]\n";
    let values = "    values: {\"a\\e[2J\": 1}\n";
    edit(scene.path(), "    exposure:", &format!("{accept}{values}    exposure:"));
    for format in ["text", "markdown", "github", "json", "sarif"] {
        let output = portgen(scene.path(), &["check", "--format", format]);
        assert!(!stdout(&output).contains('\u{1b}'), "{format}");
        if format == "markdown" {
            assert!(!stdout(&output).contains(" <img"), "{}", stdout(&output));
        }
    }
    edit(scene.path(), values, "");
    assert_eq!(portgen(scene.path(), &["render"]).status.code(), Some(0));
    let readme = fs::read_to_string(scene.path().join("rendered/kong-nodeport-redirect/README.md")).unwrap();
    assert!(readme.contains(r"''' \| \<img src=x\> \[a\](b)"), "{readme}");

    fs::copy(scene.path().join("portgen.yaml"), scene.path().join("e\u{1b}[31mvil\n::error.yaml")).unwrap();
    let output = portgen(scene.path(), &["check", "."]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        !stderr(&output).contains('\u{1b}') && stderr(&output).contains("cannot be printed"),
        "{}",
        stderr(&output)
    );
}

/// k3s tells kube-proxy its settings by flags; what has none must not vanish without a word.
#[test]
fn a_period_that_k3s_cannot_tell_is_a_finding() {
    let scene = tempfile::tempdir().unwrap();
    let spec = |version: &str| {
        format!(
            r#"apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: lab}}
cluster:
  kubernetesVersion: "{version}"
  serviceProxy: {{type: kube-proxy, mode: nftables, syncPeriod: 20s}}
  ipFamilies: [IPv4, IPv6]
  distribution: {{type: k3s}}
nodePools:
  edge: {{nodeSelector: {{pool: edge}}, os: debian-12, count: 3}}
gateways:
  kong: {{chart: kong, namespace: kong, nodePools: [edge], ports: {{http: {{port: 80}}}}, exposure: {{strategy: nodePort}}}}
"#
        )
    };
    for (version, told) in [("1.30", true), ("1.31", false)] {
        fs::write(scene.path().join("portgen.yaml"), spec(version)).unwrap();
        let said = stdout(&portgen(scene.path(), &["check"]));
        assert_eq!(said.contains("has no flag for `syncPeriod` in nftables mode"), told, "{version}: {said}");
    }
}

/// MetalLB refuses a second pool with the same addresses, so the first has to go before its heir is applied.
#[test]
fn a_diff_tells_who_takes_a_pool_over() {
    let scene = tempfile::tempdir().unwrap();
    let gateway = |name: &str, port: u16| {
        format!(
            "  {name}:\n    {{chart: kong, namespace: {name}, nodePools: [edge], ports: {{http: {{port: {port}}}}}, exposure: \
             {{strategy: metalLB, addresses: [192.0.2.0/28], allowSharedIP: edge}}}}\n"
        )
    };
    let head = "apiVersion: portgen/v1alpha1\nkind: Cluster\nmetadata: {name: lab}\ncluster:\n  kubernetesVersion: \"1.33\"\n  \
                serviceProxy: {type: kube-proxy, mode: iptables}\n  ipFamilies: [IPv4]\nnodePools:\n  edge: {nodeSelector: \
                {pool: edge}, os: debian-12, count: 3}\ngateways:\n";
    let write = |gateways: &str| fs::write(scene.path().join("portgen.yaml"), format!("{head}{gateways}")).unwrap();
    write(&format!("{}{}", gateway("first", 80), gateway("second", 8080)));
    let rendered = portgen(scene.path(), &["render"]);
    assert_eq!(rendered.status.code(), Some(0), "{}{}", stdout(&rendered), stderr(&rendered));
    write(&gateway("second", 8080));
    let told = stdout(&portgen(scene.path(), &["diff"]));
    let line = told.lines().find(|line| line.contains("metallb/first.yaml")).unwrap();
    assert!(line.contains("first kubectl delete -f of the old file: MetalLB refuses what takes over"), "{told}");
    // The other way round as well: an heir is whoever has the first name.
    portgen(scene.path(), &["render"]);
    write(&format!("{}{}", gateway("first", 80), gateway("second", 8080)));
    let told = stdout(&portgen(scene.path(), &["diff"]));
    let line = told.lines().find(|line| line.contains("metallb/second.yaml")).unwrap();
    assert!(line.contains("MetalLB refuses what takes over"), "{told}");
    // A pool that goes for good has no heir.
    portgen(scene.path(), &["render"]);
    edit(scene.path(), "192.0.2.0/28", "192.0.2.16/28");
    let told = stdout(&portgen(scene.path(), &["diff"]));
    assert!(!told.contains("MetalLB refuses what takes over"), "{told}");
}

#[test]
fn a_diff_tells_what_a_change_of_the_place_does() {
    let scene = scene();
    edit(scene.path(), "\ncluster:\n", "\ncluster:\n  distribution: {type: k3s}\n");
    portgen(scene.path(), &["render"]);
    edit(scene.path(), "{type: k3s}", "{type: kind}");
    let output = portgen(scene.path(), &["diff", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = json(&output).to_string();
    for told in [
        "k3s/config.yaml",
        "the setting stays until the file is taken from /etc/rancher/k3s/config.yaml.d and k3s restarts",
        "kind/cluster.yaml",
        "nothing until kind delete cluster and kind create cluster; a cluster keeps what it was made with",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}
