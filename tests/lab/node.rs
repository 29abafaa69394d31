//! A rendered tree on a node: its files at their own paths, and the lines of its unit run as systemd runs them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portgen::artifact::Artifacts;
use tempfile::TempDir;

use crate::common;
use crate::net::Machine;

/// Which program `iptables` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    Nft,
    Legacy,
}

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nft => "nft",
            Self::Legacy => "legacy",
        }
    }
}

/// What `portgen render` made of a spec.
pub struct Tree {
    _folder: TempDir,
    cluster: PathBuf,
    /// The pool of the nodes it is for, where the spec has several.
    pool: Option<&'static str>,
}

impl Tree {
    /// Renders a spec, or gives the report that refuses it.
    pub fn render(spec: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("portgen.yaml"), spec).expect("it can be written");
        let output = common::portgen(folder.path(), &["render"]);
        match output.status.code() {
            Some(0) => {}
            Some(1) => return Err(common::stdout(&output)),
            _ => panic!("{}", common::stderr(&output)),
        }
        let rendered = folder.path().join("rendered");
        let cluster = fs::read_dir(&rendered).expect("a tree").next().expect("a cluster").expect("an entry").path();
        Ok(Self { _folder: folder, cluster, pool: None })
    }

    /// A tree made by hand: files below /etc that portgen refuses to write.
    pub fn by_hand(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let etc = folder.path().join("nodes/edge/etc");
        for (path, text) in files {
            let file = etc.join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
            fs::write(file, text).expect("it can be written");
        }
        let cluster = folder.path().to_path_buf();
        Self { _folder: folder, cluster, pool: None }
    }

    /// The same for the nodes of one pool among several.
    pub fn of_pool(self, pool: &'static str) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// A tree that was rendered already.
    pub fn of(artifacts: &Artifacts) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for artifact in artifacts.iter() {
            let file = folder.path().join(&artifact.path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
            fs::write(file, &artifact.text).expect("it can be written");
        }
        let cluster = folder.path().to_path_buf();
        Self { _folder: folder, cluster, pool: None }
    }

    /// The folder of the one pool's /etc; `None` where nodes need no files.
    pub fn etc(&self) -> Option<PathBuf> {
        if let Some(pool) = self.pool {
            return Some(self.cluster.join("nodes").join(pool).join("etc")).filter(|etc| etc.is_dir());
        }
        let pools = fs::read_dir(self.cluster.join("nodes")).ok()?;
        Some(pools.map(|pool| pool.expect("an entry").path().join("etc")).next().expect("a pool"))
    }

    /// A file of the nodes, by its path below /etc.
    pub fn node_file(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.etc()?.join(path)).ok()
    }

    /// Changes a file of the nodes: what a fault of portgen would have written.
    pub fn mutate(&self, path: &str, change: impl Fn(&str) -> String) {
        let file = self.etc().expect("node files").join(path);
        let text = fs::read_to_string(&file).expect("the file");
        let changed = change(&text);
        assert_ne!(text, changed, "{path}: the fault changes nothing");
        fs::write(file, changed).expect("it can be written");
    }
}

/// A tree on a node.
pub struct Installed {
    // Both folders are mounted: they stay while this does.
    tree: Arc<Tree>,
    alternatives: TempDir,
}

impl Installed {
    /// Puts the tree's files at their own paths, and makes one variant the node's `iptables`.
    pub fn new(machine: &Machine, tree: &Arc<Tree>, variant: Variant) -> Self {
        let alternatives = tempfile::tempdir().expect("a folder");
        let folder = alternatives.path().join("alternatives");
        fs::create_dir(&folder).expect("a folder");
        for program in ["iptables", "ip6tables"] {
            for verb in ["", "-restore", "-save"] {
                let target = format!("/usr/sbin/{program}-{}{verb}", variant.name());
                symlink(target, folder.join(format!("{program}{verb}"))).expect("a link");
            }
        }
        let mut installed = Self { tree: Arc::clone(tree), alternatives };
        installed.replace(machine, tree);
        installed
    }

    /// Puts another tree in its place, as a node agent does: files first, then a reload.
    pub fn replace(&mut self, machine: &Machine, tree: &Arc<Tree>) {
        let mut folders = vec![self.alternatives.path().to_path_buf()];
        folders.extend(tree.etc());
        let folders: Vec<&str> = folders.iter().map(|folder| folder.to_str().expect("UTF-8")).collect();
        machine.overlay_etc(&folders);
        self.tree = Arc::clone(tree);
    }

    /// Every unit of the tree, by name.
    fn units(&self) -> BTreeMap<String, String> {
        let Some(folder) = self.tree.etc().map(|etc| etc.join("systemd/system")).filter(|folder| folder.is_dir())
        else {
            return BTreeMap::new();
        };
        common::files(&folder).into_iter().map(|(name, path)| (name, read(&path))).collect()
    }

    /// Runs the lines that one setting of portgen.service has, in order, as systemd does.
    pub fn run(&self, machine: &Machine, setting: &str) {
        let Some(unit) = self.units().remove("portgen.service") else { return };
        for line in settings(&unit, setting) {
            let (line, may_fail) = line.strip_prefix('-').map_or((line, false), |line| (line, true));
            assert!(!line.contains(['%', '$', '\\']), "systemd reads more into this line than the lab does: {line}");
            let words = shlex::split(line).unwrap_or_else(|| panic!("not a command line: {line}"));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = machine.try_command(&words, "");
            assert!(
                may_fail || output.status.success(),
                "{setting}={line}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    /// Boots: the sysctls of the tree, the unit's ExecStart lines, and what its sockets would activate.
    pub fn start(&self, machine: &Machine) {
        let sysctls = self.tree.node_file("sysctl.d/90-portgen.conf").unwrap_or_default();
        for line in sysctls.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, value) = line.split_once('=').expect("name = value");
            let path = format!("/proc/sys/{}", name.trim().replace('.', "/"));
            machine.run(|| fs::write(&path, value.trim())).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        self.run(machine, "ExecStart");
    }

    /// The programs that systemd starts for the tree's sockets, with the sockets they get.
    pub fn proxies(&self) -> Vec<Vec<String>> {
        let units = self.units();
        let sockets = units.iter().filter(|(name, _)| name.ends_with(".socket"));
        sockets
            .map(|(_, socket)| {
                assert!(settings(socket, "BindToDevice").is_empty(), "systemd-socket-activate knows no interface");
                let service = &units[settings(socket, "Service")[0]];
                let mut command = vec!["systemd-socket-activate".to_owned()];
                command.push(format!("--listen={}", settings(socket, "ListenStream")[0]));
                command.extend(shlex::split(settings(service, "ExecStart")[0]).expect("a command line"));
                command
            })
            .collect()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of one setting of a unit, in order.
fn settings<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}
