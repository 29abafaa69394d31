//! The command line: what may be typed, and what it means when nothing is.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::report::Format;

/// One spec states how an API gateway reaches ports 80 and 443; portgen renders everything else.
#[derive(Debug, Parser)]
#[command(name = "portgen", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 nothing to say, 1 findings, changes or a packet that does not arrive, 2 failed.")]
pub struct Cli {
    /// When to colour what is printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` says otherwise
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented spec to start from; never overwrites
    Init(Init),
    /// Parse, validate and run every rule; writes nothing
    Check(Check),
    /// Write the tree of every spec
    Render(Render),
    /// Show what rendering would change, told for a reviewer
    Diff(Diff),
    /// Print MetalLB's objects for a ConfigMap of MetalLB up to 0.12
    Convert(Convert),
    /// Plan the way from one strategy to another: what to apply, check and take back, in which order
    Migrate(Migrate),
    /// Show every strategy: what works on which data plane, or on one cluster, and what it costs
    Strategies(Strategies),
    /// Print the page of a strategy, a rule or a word of the field, or a spec with every default filled in
    Explain(Explain),
    /// Print the JSON Schema of a spec
    Schema,
    /// Walk one packet through the rendered rules and the data plane
    Trace(Trace),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Which specs, and with which charts.
#[derive(Debug, Args)]
pub struct Specs {
    /// Files, folders (every spec below them) or `-` for standard input
    #[arg(value_name = "SPEC", default_value = "portgen.yaml")]
    pub specs: Vec<Utf8PathBuf>,
    /// A folder of chart folders to use beside the built-in ones; their templates are trusted code
    #[arg(long, value_name = "DIR")]
    pub charts: Option<Utf8PathBuf>,
}

/// `portgen init`
#[derive(Debug, Args)]
pub struct Init {
    /// Where to write it
    #[arg(value_name = "FILE", default_value = "portgen.yaml")]
    pub file: Utf8PathBuf,
    /// The cluster's name
    #[arg(long)]
    pub name: Option<String>,
    /// The gateway's chart
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(crate::chart::Charts::BUILT_IN))]
    pub chart: Option<String>,
    /// How clients reach it
    #[arg(long, value_enum)]
    pub strategy: Option<InitStrategy>,
    /// What turns a Service into packets
    #[arg(long, value_enum)]
    pub data_plane: Option<InitDataPlane>,
    /// Ask nothing, take the defaults
    #[arg(long)]
    pub defaults: bool,
}

/// A strategy to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub enum InitStrategy {
    /// NodePort Service, its ports rewritten on the node
    NodePortRedirect,
    /// NodePort Service, its node ports as they are
    NodePort,
    /// The node's own network namespace
    HostNetwork,
    /// A port of the node, mapped to the pod
    HostPort,
    /// An address MetalLB announces
    #[value(name = "metalLB")]
    MetalLb,
    /// An address Cilium announces
    CiliumLoadBalancer,
    /// A load balancer of the cloud
    CloudLoadBalancer,
    /// A Service that claims the nodes' addresses
    #[value(name = "externalIPs")]
    ExternalIps,
}

/// A data plane to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitDataPlane {
    /// kube-proxy in iptables mode
    Iptables,
    /// kube-proxy in nftables mode
    Nftables,
    /// kube-proxy in IPVS mode
    Ipvs,
    /// Cilium, replacing kube-proxy
    Cilium,
}

/// `portgen check`
#[derive(Debug, Args)]
pub struct Check {
    /// Which specs
    #[command(flatten)]
    pub specs: Specs,
    /// How to report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// The lightest findings that make the exit code 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub deny: Deny,
}

/// The lightest findings that fail a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// What does not work
    #[default]
    Error,
    /// What works at a cost nobody accepted
    Warning,
}

/// `portgen render`
#[derive(Debug, Args)]
pub struct Render {
    /// Which specs
    #[command(flatten)]
    pub specs: Specs,
    /// The folder that holds one tree a cluster
    #[arg(short, long, value_name = "DIR", default_value = "rendered")]
    pub output: Utf8PathBuf,
    /// Write nothing; exit 1 if a tree is not what its spec says
    #[arg(long)]
    pub check: bool,
    /// Overwrite files that were edited by hand
    #[arg(long, conflicts_with = "check")]
    pub force: bool,
    /// How to report findings
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// `portgen diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// Which specs
    #[command(flatten)]
    pub specs: Specs,
    /// What to compare with: a folder of trees, or `git:REV` or `git:REV:FOLDER` for one of a revision
    #[arg(long, value_name = "DIR|git:REV[:DIR]", default_value = "rendered")]
    pub against: String,
    /// How to report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: DiffFormat,
}

/// How a diff is reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal: what applying does, then unified diffs
    #[default]
    Text,
    /// One JSON object, with a version of its own
    Json,
}

/// `portgen convert`
#[derive(Debug, Args)]
pub struct Convert {
    /// The ConfigMap, or `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: Utf8PathBuf,
}

/// `portgen strategies`
#[derive(Debug, Args)]
pub struct Strategies {
    /// The spec of a cluster, a folder of them or `-`; without one, every strategy on every data plane
    #[arg(value_name = "SPEC")]
    pub spec: Option<Utf8PathBuf>,
    /// A folder of chart folders to use beside the built-in ones
    #[arg(long, value_name = "DIR", requires = "spec")]
    pub charts: Option<Utf8PathBuf>,
    /// The cloud that the nodes run in
    #[arg(long, value_enum, value_name = "CLOUD", requires = "spec")]
    pub cloud: Option<Cloud>,
    /// Nothing may be put on the nodes
    #[arg(long, requires = "spec")]
    pub no_node_access: bool,
    /// No node may pause while a new version is rolled out
    #[arg(long, requires = "spec")]
    pub no_downtime: bool,
    /// The gateway has to see the client's address
    #[arg(long, requires = "spec")]
    pub source_address: bool,
    /// A load balancer of your own is in front and can use any port
    #[arg(long, requires = "spec")]
    pub own_load_balancer: bool,
    /// There are addresses besides the nodes' own
    #[arg(long, requires = "spec")]
    pub spare_addresses: bool,
    /// Routers take BGP sessions from the nodes
    #[arg(long, requires = "spec")]
    pub bgp: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TableFormat,
}

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Amazon Web Services
    Aws,
    /// Google Cloud
    Gcp,
    /// Microsoft Azure
    Azure,
}

/// How tables are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For a terminal, 100 columns wide
    #[default]
    Text,
    /// One JSON object, with a version of its own
    Json,
    /// For a page or a comment
    Markdown,
}

/// `portgen migrate`
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the steps are printed or a tree is written, 1 refused, 2 failed.")]
pub struct Migrate {
    /// The spec as it is applied today
    #[arg(value_name = "SPEC", default_value = "portgen.yaml")]
    pub spec: Utf8PathBuf,
    /// The strategy to go to; fields that both strategies have are kept
    #[arg(long, value_name = "STRATEGY")]
    pub to: String,
    /// The gateway, where the spec has several
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// A field of the new exposure and its value as YAML, such as 'addresses=[198.51.100.10/32]'; `null` drops a field
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Write the tree after this step in place of the cluster's; 0 is the one before the first
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Write the tree over files that were edited by hand, and over the tree of no step
    #[arg(long, requires = "step")]
    pub force: bool,
    /// The folder that holds one tree a cluster
    #[arg(short, long, value_name = "DIR", default_value = "rendered")]
    pub output: Utf8PathBuf,
    /// How to tell the steps
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", conflicts_with = "step")]
    pub format: MigrateFormat,
    /// A folder of chart folders to use beside the built-in ones
    #[arg(long, value_name = "DIR")]
    pub charts: Option<Utf8PathBuf>,
}

/// How a migration is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MigrateFormat {
    /// For a terminal
    #[default]
    Text,
    /// For a ticket or a runbook
    Markdown,
    /// One JSON object, with a version of its own
    Json,
}

/// `portgen explain`
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct Explain {
    /// A strategy, a rule, a word of the field, `strategy/…`, `rule/…` or `term/…`; with --resolved a spec
    #[arg(value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Print the spec with every default filled in
    #[arg(long)]
    pub resolved: bool,
    /// List every strategy, word and rule
    #[arg(long, conflicts_with_all = ["topic", "resolved"])]
    pub list: bool,
    /// A folder of chart folders to use beside the built-in ones
    #[arg(long, value_name = "DIR", requires = "resolved")]
    pub charts: Option<Utf8PathBuf>,
}

/// `portgen trace`
#[derive(Debug, Args)]
pub struct Trace {
    /// The spec: a file or `-` for standard input
    #[arg(value_name = "SPEC", default_value = "portgen.yaml")]
    pub spec: Utf8PathBuf,
    /// A node pool, a gateway with an address of its own, an address or `loopback`, with a port
    #[arg(long, value_name = "WHOM:PORT")]
    pub to: String,
    /// The gateway that is to answer; any unless said
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Who connects; `node` when `--to` is the loopback, otherwise `client`
    #[arg(long, value_enum)]
    pub from: Option<TraceFrom>,
    /// The client's address; an example unless said
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<std::net::IpAddr>,
    /// The protocol
    #[arg(long, value_enum, default_value_t)]
    pub protocol: TraceProtocol,
    /// The IP family; that of the address, or the cluster's first, unless said
    #[arg(long, value_enum)]
    pub family: Option<TraceFamily>,
    /// Where the gateways' pods are, as the node sees it
    #[arg(long, value_enum, default_value_t)]
    pub pod: TracePods,
    /// Print a Mermaid flowchart
    #[arg(long, conflicts_with = "format")]
    pub mermaid: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TraceFormat,
    /// A folder of chart folders to use beside the built-in ones; their templates are trusted code
    #[arg(long, value_name = "DIR")]
    pub charts: Option<Utf8PathBuf>,
}

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TraceFrom {
    /// A machine outside of the cluster
    Client,
    /// The node itself
    Node,
    /// Another node of the pool
    OtherNode,
    /// A pod of the node
    Pod,
    /// A pod of another node
    OtherPod,
    /// The gateway's own pod
    GatewayPod,
}

/// The protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TraceProtocol {
    /// TCP
    #[default]
    Tcp,
    /// UDP
    Udp,
}

/// The IP family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TraceFamily {
    /// IPv4
    Ipv4,
    /// IPv6
    Ipv6,
}

/// Where the gateways' pods are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TracePods {
    /// On the node
    #[default]
    Here,
    /// On another node
    Elsewhere,
    /// Nowhere: the Services have no endpoints
    None,
    /// Nowhere, and there are no Services either
    NoService,
}

/// How a trace is reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// A line a step
    #[default]
    Text,
    /// One JSON object, with a version of its own
    Json,
}
