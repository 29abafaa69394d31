//! What is told of one gateway: where clients find it, a picture, and what an operator should know.

use serde_json::{Value, json};

use super::comma;
use crate::chart::When;
use crate::grammar::DnsLabel;
use crate::plan::knowledge::{Feature, Form, SourceKept, deprecation, meaning};
use crate::plan::{
    Announce, Announced, AwsController, AwsTarget, Bind, ClaimForm, Cloud, CloudProvider, DataPlane, DirectNodePort,
    Gateway, KubeProxyMode, Mechanism, Owner, Plan, Replicas, ServiceType, SessionAffinity, Slot, Strategy,
    TrafficPolicy, protocol_word,
};
use crate::report::cell;

/// The public ports of a gateway: `TCP 80, TCP 443, UDP 443`.
fn public_ports(gateway: &Gateway) -> String {
    let mut ports: Vec<_> = gateway.ports.values().map(|port| (port.protocol, gateway.public_port(port))).collect();
    ports.sort_unstable();
    comma(ports.into_iter().map(|(protocol, port)| format!("{} {port}", protocol_word(protocol))))
}

pub fn context(plan: &Plan, gateway: &Gateway) -> Value {
    let who = if gateway.strategy.allow_from().is_empty() {
        "everyone".to_owned()
    } else {
        comma(gateway.strategy.allow_from())
    };
    let who = match gateway.strategy.limits() {
        Some(limits) => {
            let mut parts = vec![who];
            parts.extend(limits.connections.map(|most| format!("{most} connections per source and port")));
            parts.extend(
                limits
                    .rate
                    .map(|rate| format!("{rate} new per second, source and port after a burst of {}", limits.burst)),
            );
            parts.join("; ")
        }
        None => who,
    };
    json!({
        "name": gateway.name,
        "chart": chart_label(gateway),
        "strategy": gateway.strategy.name(),
        "where": format!("{}, {}", public_ports(gateway), place(plan, gateway)),
        "who": who,
        "source": source_address(plan, gateway),
        "picture": picture(plan, gateway),
        "story": story(plan, gateway),
    })
}

/// `Kong 3.9, chart 3.4.1`; which Kong another chart version brings, the profile does not know.
fn chart_label(gateway: &Gateway) -> String {
    let profile = &gateway.chart.profile;
    let version = &gateway.chart_version;
    if *version == profile.chart.version {
        format!("{} {}, chart {version}", profile.display_name, profile.chart.app_version)
    } else {
        format!("{}, chart {version}", profile.display_name)
    }
}

fn pools_and_interfaces(plan: &Plan, gateway: &Gateway) -> String {
    let pool = |name: &DnsLabel| {
        let interfaces = &plan.pools[name].interfaces;
        if interfaces.is_empty() || !gateway.strategy.keeps_to_interfaces() {
            format!("nodes of {name}")
        } else {
            format!("nodes of {name} ({})", comma(interfaces))
        }
    };
    comma(gateway.pools.iter().map(pool))
}

/// Where clients find it.
fn place(plan: &Plan, gateway: &Gateway) -> String {
    match &gateway.strategy {
        Strategy::NodePort { .. } => "any node of the cluster".to_owned(),
        Strategy::ExternalIps { addresses, .. } => comma(addresses),
        Strategy::CloudLoadBalancer { provider, internal, .. } => {
            format!("{} {} load balancer", if *internal { "an internal" } else { "a public" }, cloud(*provider))
        }
        strategy => match strategy.announced() {
            Some((Announced { how: Announce::Node, announce_from, .. }, _)) => {
                format!("nodes of {}", comma(announce_from))
            }
            Some((announced, _)) if announced.load_balancer_ips.is_empty() => {
                format!("an address of {}", comma(&announced.addresses))
            }
            Some((announced, _)) => comma(&announced.load_balancer_ips),
            None => pools_and_interfaces(plan, gateway),
        },
    }
}

/// Cilium's own gateway, as a line of the same table.
pub fn own(plan: &Plan) -> Option<Value> {
    let gateway = plan.cluster.own_gateway.as_ref()?;
    let ports = comma(gateway.ports().map(|(_, port)| format!("TCP {port}")));
    let nodes = gateway.pool.as_ref().map_or("any node of the cluster".to_owned(), |pool| format!("nodes of {pool}"));
    Some(json!({
        "name": "Cilium's own",
        "chart": format!("Cilium {}", plan.cluster.data_plane.cilium()?),
        "strategy": "Envoy in the nodes' network",
        "where": format!("{ports}, {nodes}"),
        "who": "everyone",
        "source": "the client's",
    }))
}

fn cloud(provider: CloudProvider) -> &'static str {
    match provider {
        CloudProvider::Aws => "AWS",
        CloudProvider::Gcp => "Google Cloud",
        CloudProvider::Azure => "Azure",
    }
}

fn source_address(plan: &Plan, gateway: &Gateway) -> &'static str {
    if let Strategy::CloudLoadBalancer { cloud: Cloud::Aws(aws), .. } = &gateway.strategy
        && aws.target_type == AwsTarget::Ip
    {
        return if aws.preserve_client_ip { "the client's" } else { "the load balancer's" };
    }
    let kept = meaning(Form::of(gateway)).source;
    if kept != SourceKept::Always
        && gateway.needs.policy == Some(TrafficPolicy::Cluster)
        && matches!(plan.cluster.data_plane, DataPlane::Cilium(_))
    {
        return "a node's, or the client's where the pod is on the node that it came to";
    }
    match kept {
        SourceKept::Never => "a node's, always",
        SourceKept::WithLocal if gateway.needs.policy == Some(TrafficPolicy::Cluster) => "a node's",
        SourceKept::WithLocal | SourceKept::Always => "the client's",
    }
}

/// A Mermaid flow chart's lines: every word in it is from a closed grammar or from here.
fn picture(plan: &Plan, gateway: &Gateway) -> Vec<String> {
    let ports = public_ports(gateway);
    let proxy = plan.cluster.data_plane.to_string();
    let targets = comma(gateway.ports.values().map(|port| port.target_port).collect::<std::collections::BTreeSet<_>>());
    let node_ports =
        comma(gateway.ports.values().filter_map(|port| port.node_port).collect::<std::collections::BTreeSet<_>>());
    let pod = format!("pod[\"{} pod<br>listens on {targets}\"]", gateway.name);
    let guard = match (!gateway.strategy.allow_from().is_empty(), gateway.strategy.limits().is_some()) {
        (true, true) => "<br>sources and limits checked",
        (true, false) => "<br>sources checked",
        (false, true) => "<br>limits checked",
        (false, false) => "",
    };
    let node = format!("{}{guard}", pools_and_interfaces(plan, gateway));
    match &gateway.strategy {
        Strategy::NodePortRedirect { mechanism, .. } => {
            let way = match mechanism {
                Mechanism::PortRewrite => format!("node[\"{node}<br>port rewritten to {node_ports}\"]"),
                _ => format!("node[\"{node}<br>systemd-socket-proxyd to {node_ports}\"]"),
            };
            vec![
                format!("client([client]) -->|\"{ports}\"| {way}"),
                format!("node -->|\"node port {node_ports}\"| proxy[\"{proxy}\"]"),
                format!("proxy --> {pod}"),
            ]
        }
        Strategy::HostNetwork { bind: Bind::Redirect, .. } => vec![
            format!("client([client]) -->|\"{ports}\"| node[\"{node}<br>redirected to {targets}\"]"),
            format!("node -->|\"same node\"| {pod}"),
        ],
        Strategy::HostNetwork { bind: Bind::Direct, .. } => {
            vec![
                format!("client([client]) -->|\"{ports}\"| node[\"{node}\"]"),
                format!("node -->|\"same node\"| {pod}"),
            ]
        }
        Strategy::HostPort { .. } => vec![
            format!("client([client]) -->|\"{ports}\"| node[\"{node}<br>mapped by the network plugin\"]"),
            format!("node -->|\"same node\"| {pod}"),
        ],
        Strategy::NodePort { .. } | Strategy::ExternalIps { .. } => {
            vec![format!("client([client]) -->|\"{ports}\"| node[\"any node<br>{proxy}\"]"), format!("node --> {pod}")]
        }
        Strategy::CloudLoadBalancer { provider, cloud: told, .. } => {
            let balancer =
                format!("client([client]) -->|\"{ports}\"| cloud[\"{} load balancer{guard}\"]", cloud(*provider));
            match told {
                Cloud::Aws(aws) if aws.target_type == AwsTarget::Ip => vec![balancer, format!("cloud --> {pod}")],
                _ => vec![balancer, format!("cloud --> node[\"a node<br>{proxy}\"]"), format!("node --> {pod}")],
            }
        }
        Strategy::MetalLb { announced, .. } | Strategy::CiliumLoadBalancer { announced, .. } => {
            let how = match announced.how {
                Announce::L2 => "answers ARP and neighbour discovery",
                Announce::Bgp => "announces the address by BGP",
                Announce::Node => "its own address is the Service's",
            };
            let from = comma(&announced.announce_from);
            vec![
                format!("client([client]) -->|\"{ports}\"| node[\"a node of {from}<br>{how}{guard}\"]"),
                format!("node --> proxy[\"{proxy}\"]"),
                format!("proxy --> {pod}"),
            ]
        }
    }
}

/// What an operator should know of this gateway, a sentence each.
fn story(plan: &Plan, gateway: &Gateway) -> Vec<String> {
    let mut story = Vec::new();
    match &gateway.strategy {
        Strategy::NodePortRedirect { mechanism, direct_node_port, .. } => {
            story.push(match mechanism {
                Mechanism::SocketProxy => "A proxy on the node ends the TCP connection and opens one to the node port on 127.0.0.1; the gateway sees a node's address.".to_owned(),
                _ => "The node changes the port before kube-proxy's NAT looks at it, so kube-proxy sees an ordinary node port connection; answers get the public port back.".to_owned(),
            });
            story.push(match direct_node_port {
                DirectNodePort::Deny => {
                    "The node ports themselves are shut on every interface, in every pool of this spec.".to_owned()
                }
                DirectNodePort::Allow => {
                    "The node ports themselves stay reachable on every node of the cluster, under the same allow-list."
                        .to_owned()
                }
            });
            story.extend(left_open(plan, gateway));
            if *mechanism == Mechanism::PortRewrite {
                story.push(
                    "From the node itself the ports answer on the node's own addresses, not on 127.0.0.1 or ::1."
                        .to_owned(),
                );
            }
        }
        Strategy::HostNetwork { bind, .. } => {
            story.push(
                "The process shares the node's network namespace: one pod a node, and the client's address is kept."
                    .to_owned(),
            );
            story.push(match bind {
                Bind::Redirect => {
                    "A host firewall sees the port the process listens on; firewalld lets a redirected connection in by itself, another has to be told.".to_owned()
                }
                Bind::Direct => "The node's sysctl lets a process without privileges bind the port.".to_owned(),
            });
            if *bind == Bind::Redirect {
                story.push(
                    "The port the process listens on answers on every interface; allow-list and limits cover it as well."
                        .to_owned(),
                );
                if let DataPlane::Cilium(_) = plan.cluster.data_plane {
                    story.push("Not proven for pods: Cilium may look up a pod's connection before the redirect, so let pods use the Service.".to_owned());
                }
            }
            story.push(
                "A new version starts after the old pod of that node has gone: expect a pause on that node.".to_owned(),
            );
            story.extend(gateway.chart.profile.host_network_caveat.clone());
        }
        Strategy::NodePort { .. } => {
            story.push("Every node of the cluster answers on the node ports, not those of its pools alone, and no node needs a file.".to_owned());
        }
        Strategy::ExternalIps { form, .. } => {
            story.push(format!(
                "The Service claims addresses that reach the nodes anyway; {}.",
                meaning(Form::of(gateway)).hands
            ));
            story.push(match form {
                ClaimForm::Spec => {
                    let end = deprecation(Feature::ExternalIps);
                    format!("{}, and {} plans to {}: plan the way out.", end.phrase(), end.source, end.plan)
                }
                ClaimForm::Status => "The addresses stand in the Service's status, which no `kubectl apply` writes: run the patch after each time the Service is made anew.".to_owned(),
            });
        }
        Strategy::HostPort { .. } => {
            story.push(match plan.cluster.data_plane {
                DataPlane::Cilium(_) => "Cilium maps the ports in eBPF, on every node that runs a pod; netfilter has no rule for them.",
                _ => "The plugin portmap, chained behind the network plugin, maps the ports: `grep -l portmap /etc/cni/net.d/*` on a node names the file that has it. It writes its rules when the pod starts and only then: whatever flushes the node's rules takes them away until the pod is restarted.",
            }.to_owned());
            story.push(
                "A new version starts after the old pod of that node has gone: expect a pause on that node.".to_owned(),
            );
        }
        Strategy::CloudLoadBalancer { cloud, internal, .. } => story.extend(cloud_story(cloud, *internal)),
        Strategy::MetalLb { announced, .. } | Strategy::CiliumLoadBalancer { announced, .. } => {
            story.extend(announced_story(gateway, announced));
        }
    }
    if gateway.needs.policy == Some(TrafficPolicy::Local) {
        story.push(match gateway.needs.service_type {
            ServiceType::LoadBalancer if matches!(gateway.strategy, Strategy::CloudLoadBalancer { .. }) => "externalTrafficPolicy is Local: the load balancer asks each node's `healthCheckNodePort` for a ready pod and leaves out those without; until it has asked, a node whose last pod went drops clients.",
            ServiceType::LoadBalancer => "externalTrafficPolicy is Local: only nodes with a ready pod take part, and the client's address is kept.",
            ServiceType::NodePort | ServiceType::ClusterIp => "externalTrafficPolicy is Local: a node without a ready pod of this gateway answers nobody.",
        }.to_owned());
    }
    if gateway.needs.affinity == SessionAffinity::ClientIP {
        story.push(
            "Connections of one source address meet the same pod, until it is silent for three hours or the pod goes."
                .to_owned(),
        );
    }
    if gateway.service.owner == Owner::Portgen {
        story.push(format!(
            "Clients use the Service {} in manifests: the chart's own cannot carry what this gateway needs and stays inside the cluster.",
            gateway.service.name
        ));
    }
    if let Replicas::Scaled { .. } = gateway.replicas {
        story.push("The autoscaler reads CPU utilization from the cluster's metrics API: install metrics-server if nothing serves it.".to_owned());
    }
    story.extend(notes(gateway));
    story.iter().map(|line| cell(line)).collect()
}

/// Where its node ports stay open, whatever a spec says: on nodes that take no files from here.
fn left_open(plan: &Plan, gateway: &Gateway) -> Option<String> {
    gateway.ports.values().find_map(|port| gateway.strategy.way_elsewhere(port))?;
    let beyond = plan.pools.iter().filter(|(name, pool)| !pool.os.takes_files() && !gateway.pools.contains(name));
    let mut nodes: Vec<String> = beyond.map(|(name, _)| format!("nodes of {name}, which take no files,")).collect();
    nodes.push("nodes of no pool of this spec".to_owned());
    let nodes = nodes.join(" and ");
    let told = match (gateway.needs.policy, plan.cluster.data_plane.kube_proxy()?) {
        (Some(TrafficPolicy::Local), KubeProxyMode::Ipvs) => {
            "run no pod of this gateway: IPVS there sends clients' packets on to a pod of another node, whose answers do not come back to them"
        }
        (Some(TrafficPolicy::Local), _) => {
            "run no pod of this gateway, and drop what clients from outside of the cluster send to them"
        }
        _ => "keep them open to everyone: filter in front of them, or make a pool of what is in none",
    };
    Some(format!("kube-proxy opens the node ports on every node of the cluster; {nodes} {told}."))
}

/// What an operator should know of an address that is announced.
fn announced_story(gateway: &Gateway, announced: &Announced) -> Vec<String> {
    let mut story = Vec::new();
    story.push(
        match announced.how {
            Announce::L2 => {
                "One node at a time answers for the address; when it fails, another takes over within seconds."
            }
            Announce::Bgp => "Every announcing node tells its routers; they spread connections over the nodes.",
            Announce::Node => {
                "The addresses of the nodes are the Service's: a client of a node that is gone has to try another."
            }
        }
        .to_owned(),
    );
    story.push(if gateway.needs.no_node_ports {
        "The Service has no node ports, by which a source outside of allowFrom could get past it. A Service that had some keeps them: take them out with `kubectl edit`.".to_owned()
    } else {
        "Kubernetes gives a LoadBalancer Service node ports too; they stay reachable on every node.".to_owned()
    });
    if gateway.pool != gateway.name {
        story.push(format!("It shares the address of {}, whose pool and announcement serve both.", gateway.pool));
    }
    story
}

/// What an operator should know of a cloud's load balancer.
fn cloud_story(cloud: &Cloud, internal: bool) -> Vec<String> {
    let mut story = Vec::new();
    match cloud {
        Cloud::Aws(aws) => {
            story.push(match aws.controller {
                AwsController::AwsLoadBalancerController => {
                    "The AWS Load Balancer Controller makes a Network Load Balancer for the Service's class. A class is for life: to change it, delete the Service, and its load balancer and name with it.".to_owned()
                }
                AwsController::CloudProviderAws => {
                    "The cloud controller manager makes a Network Load Balancer. The AWS Load Balancer Controller takes Services without a class for itself where its webhook `enableServiceMutatorWebhook` is on.".to_owned()
                }
            });
            story.push(match aws.target_type {
                AwsTarget::Instance => {
                    "It sends packets to a node port of every node, which the node's security group lets in from the load balancer.".to_owned()
                }
                AwsTarget::Ip => {
                    "It sends packets to the pods themselves; their network plugin has to give them addresses of the VPC.".to_owned()
                }
            });
            story.push(
                match (internal, aws.private_addresses.is_empty(), aws.eip_allocations.is_empty()) {
                    (true, false, _) => "Clients use its name; behind it are the spec's `privateAddresses`.",
                    (true, true, _) => {
                        "Clients use its name, which stays; its addresses may change unless `privateAddresses` are set."
                    }
                    (false, _, false) => "Clients use its name; behind it are the Elastic IPs of the spec.",
                    (false, _, true) => {
                        "Clients use its name, which stays; its addresses may change unless Elastic IPs are set."
                    }
                }
                .to_owned(),
            );
        }
        Cloud::Gcp(_) => {
            story.push("Packets keep the load balancer's address up to the node, where the data plane takes them as the Service's own.".to_owned());
            if internal {
                story.push("Clients reach it from the same region of the VPC, and from other regions with `globalAccess` only.".to_owned());
            }
        }
        Cloud::Azure(_) => {
            story.push("Packets keep the load balancer's address up to the node, where the data plane takes them as the Service's own; the network security group is opened for it.".to_owned());
        }
    }
    story
}

/// The chart's own notes, as far as they concern this gateway.
fn notes(gateway: &Gateway) -> impl Iterator<Item = String> + '_ {
    let concerns = move |when: &When| match when {
        When::HostNetwork => gateway.needs.host_network,
        When::Http3 => gateway.ports.values().any(|port| port.slot == Slot::Http3),
        When::Udp => gateway.ports.values().any(|port| port.slot == Slot::Stream),
        When::Scaled => matches!(gateway.replicas, Replicas::Scaled { .. }),
        When::ValueUnset(path) => gateway.value(path).is_none(),
    };
    let profile = &gateway.chart.profile;
    let notes = profile.notes.iter().filter(move |note| note.when.as_ref().is_none_or(concerns));
    notes.map(|note| note.text.replace("<release>", gateway.release.as_str()))
}
