//! From arguments to plans: which files are specs, what they extend, which charts they use.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::Failure;
use crate::chart::Charts;
use crate::check;
use crate::cli::Specs;
use crate::disk::{self, DiskError};
use crate::finding::{Finding, Severity};
use crate::input::spec::{self, Spec};
use crate::input::{self, Input};
use crate::plan::{self, Plan};
use crate::report::{Origin, Report};
use crate::source::{FileId, Files, Node, Source, Value, compose};

/// One spec, as far as it could be read, with everything found in it.
pub struct Loaded {
    files: Files,
    root: Option<Node>,
    /// The spec and the charts it can use, to plan it otherwise.
    pub spec: Option<(Spec, Charts)>,
    /// The plan, where there is a spec to plan.
    pub plan: Option<Plan>,
    /// Faults and findings, errors first, then as they stand in the files; the first hundred.
    pub findings: Vec<Finding>,
    /// How many more there are.
    omitted: usize,
    /// Whether a fault of reading keeps parts out of the plan.
    pub lost_parts: bool,
}

/// More findings than this nobody reads.
const MOST_FINDINGS: usize = 100;

impl Loaded {
    /// Its findings, with the texts they point into.
    pub fn report(&self) -> Report<'_> {
        Report { origin: self.origin(), findings: &self.findings, omitted: self.omitted }
    }

    /// The texts its routes point into.
    pub fn origin(&self) -> Origin<'_> {
        Origin { files: &self.files, root: self.root.as_ref() }
    }

    /// What is written at the end of a way of keys.
    pub fn written(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self.root.as_ref()?, |node, key| node.get(key))
    }

    /// Whether anything keeps its tree from being rendered.
    pub fn refused(&self) -> bool {
        self.plan.is_none() || check::refused(&self.findings)
    }
}

/// Reads every spec that the arguments name.
pub fn load(specs: &Specs) -> Result<Vec<Loaded>, Failure> {
    let charts = specs.charts.as_deref().map(read_charts).transpose()?.unwrap_or_default();
    let mut loaded = Vec::new();
    for argument in &specs.specs {
        for (source, root) in sources(argument)? {
            loaded.push(read(source, &root, &charts));
        }
    }
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for plan in loaded.iter().filter_map(|spec| spec.plan.as_ref()) {
        if !names.insert(plan.name.as_str()) {
            return Err(Failure::Usage(format!(
                "two specs are called `{}`, and each cluster has a tree of its own; rename one",
                plan.name
            )));
        }
    }
    Ok(loaded)
}

/// A spec that others are laid over.
pub struct Base {
    source: Source,
    root: Utf8PathBuf,
    charts: ChartTexts,
}

impl Base {
    /// Reads the one spec that an argument names.
    pub fn open(spec: &Utf8Path, charts: Option<&Utf8Path>) -> Result<Self, Failure> {
        let charts = charts.map(read_charts).transpose()?.unwrap_or_default();
        let mut found = sources(spec)?;
        match (found.pop(), found.len()) {
            (Some((source, root)), 0) => Ok(Self { source, root, charts }),
            (_, more) => Err(Failure::Usage(format!("`{spec}` holds {} specs; name one of them", more + 1))),
        }
    }

    /// The spec as it is.
    pub fn alone(&self) -> Loaded {
        read(self.source.clone(), &self.root, &self.charts)
    }

    /// The spec with a text laid over it; reports call the text by this name.
    pub fn under(&self, name: &str, text: &str) -> Loaded {
        let base = serde_json::Value::from(self.source.path.as_str());
        let source = Source { path: name.to_owned(), text: format!("extends: [{base}]\n{text}") };
        let mut loader = |from: &Utf8Path, path: &str| {
            if from == name { Ok(self.source.clone()) } else { read_base(&self.root, from, path) }
        };
        read_with(source, &mut loader, &self.charts)
    }
}

fn read(source: Source, root: &Utf8Path, charts: &ChartTexts) -> Loaded {
    read_with(source, &mut |from: &Utf8Path, path: &str| read_base(root, from, path), charts)
}

fn read_with(source: Source, loader: &mut input::Loader<'_>, charts: &ChartTexts) -> Loaded {
    let Input { files, root, spec, mut findings } = input::parse(source, loader);
    let lost_parts = !findings.is_empty();
    let spec = spec.map(|spec| {
        let charts = charts_of(&spec, charts);
        (spec, charts)
    });
    let plan = spec.as_ref().map(|(spec, charts)| plan::build(spec, charts));
    if let Some(plan) = &plan {
        findings.extend(check::inspect(plan));
    }
    let origin = Origin { files: &files, root: root.as_ref() };
    findings
        .sort_by_cached_key(|finding| (Reverse(finding.severity()), origin.span_of(&finding.place), finding.rule.name));
    // Errors are first, so whoever counts them still finds one; a report of thousands is read by nobody.
    let omitted = findings.len().saturating_sub(MOST_FINDINGS);
    findings.truncate(MOST_FINDINGS);
    // A spec that lost a part to a fault is checked, never rendered.
    debug_assert!(plan.is_some() || findings.iter().any(|finding| finding.severity() == Severity::Error));
    Loaded { files, root, spec, plan, findings, omitted, lost_parts }
}

/// The text of one file, or of standard input.
pub fn one_source(argument: &Utf8Path) -> Result<Source, Failure> {
    printable(argument)?;
    if argument == "-" {
        return Ok(Source { path: "<stdin>".to_owned(), text: disk::read_stdin()? });
    }
    Ok(Source { path: argument.to_string(), text: disk::read_source(argument)? })
}

/// The texts behind an argument, each with the tree its bases may come from.
fn sources(argument: &Utf8Path) -> Result<Vec<(Source, Utf8PathBuf)>, Failure> {
    if argument == "-" {
        return Ok(vec![(one_source(argument)?, Utf8PathBuf::from("."))]);
    }
    if !disk::is_folder(argument) {
        return Ok(vec![(one_source(argument)?, tree_of(argument))]);
    }
    printable(argument)?;
    let mut found = Vec::new();
    for path in disk::find_specs(argument)? {
        printable(&path)?;
        let text = disk::read_source(&path)?;
        if is_spec(&text) {
            found.push((Source { path: path.to_string(), text }, tree_of(argument)));
        }
    }
    if found.is_empty() {
        return Err(Failure::Usage(format!(
            "no spec below `{argument}`: no YAML file there has `apiVersion: portgen/v1alpha1` and `kind: Cluster`"
        )));
    }
    Ok(found)
}

/// A name that a report prints on a line of its own must not start another one, or move a terminal's cursor.
fn printable(path: &Utf8Path) -> Result<(), Failure> {
    if path.as_str().chars().any(crate::grammar::is_unprintable) {
        let named = path.as_str().escape_default();
        return Err(Failure::Usage(format!("`{named}` has a character in its name that cannot be printed; rename it")));
    }
    Ok(())
}

/// The tree an argument was given in: the working directory for what lies below it, otherwise the folder itself.
fn tree_of(argument: &Utf8Path) -> Utf8PathBuf {
    let climbs = argument.is_absolute() || argument.components().any(|part| part == Utf8Component::ParentDir);
    if !climbs {
        return Utf8PathBuf::from(".");
    }
    if disk::is_folder(argument) {
        argument.to_owned()
    } else {
        argument.parent().unwrap_or(Utf8Path::new(".")).to_owned()
    }
}

/// Whether a file of a folder is a spec. Other tools have a `kind: Cluster` too, and templates are often no YAML.
fn is_spec(text: &str) -> bool {
    if !text.contains("portgen/") {
        return false;
    }
    match compose(text, FileId(0)) {
        // A base for others has no kind; a mistyped one must not drop a cluster.
        Ok(node) => {
            let version = node.get("apiVersion").map(|node| &node.value);
            node.get("kind").is_some() && matches!(version, Some(Value::Str(text)) if text.starts_with("portgen/"))
        }
        // It says that it is ours, so its faults are worth a report.
        Err(_) => true,
    }
}

/// A base, by its path relative to the file that names it; never outside the tree.
fn read_base(tree: &Utf8Path, from: &Utf8Path, path: &str) -> Result<Source, String> {
    let folder = from.parent().unwrap_or(Utf8Path::new(""));
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if Utf8Path::new(path).is_absolute() {
        return Err("the path is absolute".to_owned());
    }
    let shown = plain(&folder.join(path));
    // The real paths: a link must not lead out either.
    let tree_path = disk::real_path(tree)?;
    // Told before the disk is asked: what exists outside is nobody's business.
    let outside = if tree == "." { shown.starts_with("..") } else { !shown.starts_with(plain(tree)) };
    if outside || !disk::real_path(&shown)?.starts_with(&tree_path) {
        return Err(format!(
            "it lies outside {}",
            if tree == "." { "the folder portgen runs in".to_owned() } else { format!("`{tree}`") }
        ));
    }
    let text = disk::read_source(&shown).map_err(|error| match error {
        DiskError::NotAFile { kind, .. } => format!("it is {kind}, not a file"),
        DiskError::NotUtf8 { offset, .. } => format!("it is not UTF-8 text from byte {offset} on"),
        DiskError::TooLarge { limit, .. } => format!("it is larger than {limit} bytes"),
        other => other.to_string(),
    })?;
    Ok(Source { path: shown.to_string(), text })
}

/// A path without `.` and, where it can be told without the disk, without `..`.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    let mut plain = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if matches!(plain.components().next_back(), Some(Utf8Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The three texts of every chart folder that the user brought.
type ChartTexts = Vec<[String; 3]>;

fn read_charts(dir: &Utf8Path) -> Result<ChartTexts, Failure> {
    let mut texts = Vec::new();
    for folder in disk::folders(dir)? {
        let text = |name: &str| disk::read_source(&folder.join(name));
        let chart = [text("profile.yaml")?, text("values.yaml.j2")?, text("keys.yaml")?];
        let [profile, template, keys] = &chart;
        let mut trial = Charts::default();
        let added =
            trial.add(profile, template, keys).map_err(|reason| Failure::Usage(format!("`{folder}`: {reason}")))?;
        if Some(added.as_str()) != folder.file_name() {
            return Err(Failure::Usage(format!(
                "`{folder}`: profile.yaml calls the chart `{added}`; give the folder that name"
            )));
        }
        texts.push(chart);
    }
    Ok(texts)
}

/// The charts a spec can use: built-in ones as far as it names them, then those the user brought.
fn charts_of(spec: &Spec, own: &ChartTexts) -> Charts {
    let wanted = |name: &str| {
        spec.gateways.0.values().any(|gateway| match &gateway.chart {
            spec::Chart::Name(chart) => chart.as_str() == name,
            spec::Chart::Detailed(details) => details.name.as_str() == name,
        })
    };
    let mut charts = Charts::built_in(wanted);
    for [profile, template, keys] in own {
        // They were read when the folder was.
        let _ = charts.add(profile, template, keys);
    }
    charts
}
