//! As much of a Kubernetes API server as kube-proxy asks for: a few kinds, listed and watched over plain http, kept in
//! memory. With it, the texts that start kube-proxy on it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Each kind served, and where it is listed. ServiceCIDRs are asked for from Kubernetes 1.33 on.
const KINDS: [(&str, &str); 5] = [
    ("Service", "/api/v1/services"),
    ("Node", "/api/v1/nodes"),
    ("Namespace", "/api/v1/namespaces"),
    ("EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices"),
    ("ServiceCIDR", "/apis/networking.k8s.io/v1/servicecidrs"),
];

/// A running stub of the Kubernetes API, which stops and closes its sockets when dropped.
pub struct KubeApi {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    version: u64,
    /// By kind, namespace and name.
    objects: BTreeMap<[String; 3], Value>,
    /// Everything that ever happened, so that a watch misses nothing between its list and its start.
    log: Vec<(u64, &'static str, Value)>,
    stopped: bool,
}

impl KubeApi {
    /// Serves on `listener`, which stays in the network namespace it was bound in.
    pub fn serve(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        // Polled, since a thread blocked in accept would keep the socket, and with it the network namespace, for ever.
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            while !of_thread.lock().stopped {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(Duration::from_millis(10));
                    continue;
                };
                let of_connection = Arc::clone(&of_thread);
                // An error here means that the client went away.
                thread::spawn(move || of_connection.answer(stream).is_ok());
            }
        });
        Ok(Self { shared, address })
    }

    /// Adds the object or replaces the one of its kind, namespace and name, and tells every watch.
    pub fn set(&self, mut object: Value) {
        let key = key(&object);
        let mut state = self.shared.lock();
        let event = if state.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        object["metadata"]["uid"] = json!(key.join("/"));
        object["metadata"]["creationTimestamp"] = json!("2024-01-01T00:00:00Z");
        state.record(event, &mut object);
        state.objects.insert(key, object);
        self.shared.changed.notify_all();
    }

    /// Removes an object and tells every watch; false if there was none (`namespace` is empty for a kind without).
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let mut state = self.shared.lock();
        let removed = state.objects.remove(&[kind, namespace, name].map(str::to_owned));
        let found = removed.is_some();
        if let Some(mut object) = removed {
            state.record("DELETED", &mut object);
        }
        self.shared.changed.notify_all();
        found
    }

    /// Returns the kubeconfig of a client in the listener's network namespace.
    pub fn kubeconfig(&self) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": format!("http://{}", self.address)}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "users": [{"name": "lab", "user": {}}],
        });
        format!("{config:#}\n")
    }
}

impl Drop for KubeApi {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
    }
}

impl State {
    fn record(&mut self, event: &'static str, object: &mut Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.log.push((self.version, event, object.clone()));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request and closes: whatever comes next uses a new connection, so nothing here needs framing.
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut line, mut header, mut length) = (String::new(), String::new(), 0);
        reader.read_line(&mut line)?;
        while reader.read_line(&mut header)? > 2 {
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            header.clear();
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // Only events are ever posted: saying them back is all that their sender wants.
        if method == "POST" {
            let mut body = Vec::new();
            reader.take(length).read_to_end(&mut body)?;
            return reply(&mut stream, "201 Created", &String::from_utf8_lossy(&body));
        }
        let found = KINDS.iter().find_map(|(kind, list)| Some((*kind, *list, path.strip_prefix(*list)?)));
        let Some((kind, list, rest)) = found.filter(|_| method == "GET") else { return missing(&mut stream) };
        let api_version = list.split('/').skip(2).take(list.matches('/').count() - 2).collect::<Vec<_>>().join("/");
        let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        // The only selector that matters: kube-proxy wants its own node and no other.
        let selected = parameter("fieldSelector").and_then(|field| field.strip_prefix("metadata.name%3D"));
        let wanted = |it: &Value| it["kind"] == *kind && selected.is_none_or(|name| it["metadata"]["name"] == *name);
        let (items, version) = {
            let state = self.lock();
            (state.objects.values().filter(|it| wanted(it)).cloned().collect::<Vec<_>>(), state.version)
        };
        if let Some(name) = rest.strip_prefix('/') {
            let Some(item) = items.iter().find(|it| it["metadata"]["name"] == *name) else {
                return missing(&mut stream);
            };
            return reply(&mut stream, "200 OK", &item.to_string());
        }
        if !matches!(parameter("watch"), Some("1" | "true")) {
            let metadata = json!({"resourceVersion": version.to_string()});
            let of_all =
                json!({"apiVersion": api_version, "kind": format!("{kind}List"), "metadata": metadata, "items": items});
            return reply(&mut stream, "200 OK", &of_all.to_string());
        }

        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
        let bookmark = |seen: u64, annotations: Value| {
            let metadata = json!({"resourceVersion": seen.to_string(), "annotations": annotations});
            ("BOOKMARK", json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}))
        };
        let mut seen = parameter("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        // From Kubernetes 1.35 on a client asks for the list inside the watch, ended by a bookmark that says so.
        let listed = parameter("sendInitialEvents") == Some("true");
        let mut events = Vec::new();
        if listed || seen == 0 {
            events.extend(items.into_iter().map(|item| ("ADDED", item)));
            seen = version;
        }
        if listed {
            events.push(bookmark(seen, json!({"k8s.io/initial-events-end": "true"})));
        }
        loop {
            for (event, object) in events.drain(..) {
                // Made whole first: written straight to a socket, every token would be a packet.
                let line = json!({"type": event, "object": object}).to_string() + "\n";
                stream.write_all(line.as_bytes())?;
            }
            let idle = |state: &mut State| state.version == seen && !state.stopped;
            let waited = self.changed.wait_timeout_while(self.lock(), Duration::from_secs(5), idle);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.stopped {
                return Ok(());
            }
            let news = state.log.iter().filter(|(version, _, object)| *version > seen && wanted(object));
            events.extend(news.map(|(_, event, object)| (*event, object.clone())));
            seen = state.version;
            // Written now and then, a bookmark also finds out that the client is gone.
            events.push(bookmark(seen, json!({})));
        }
    }
}

fn reply(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    stream.write_all((head + "Connection: close\r\n\r\n" + body).as_bytes())
}

fn missing(stream: &mut TcpStream) -> io::Result<()> {
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
    reply(stream, "404 Not Found", &status.to_string())
}

fn key(object: &Value) -> [String; 3] {
    let metadata = &object["metadata"];
    [&object["kind"], &metadata["namespace"], &metadata["name"]].map(|it| it.as_str().unwrap_or_default().to_owned())
}

/// Returns a Node with its addresses and pod CIDRs, the primary family first.
pub fn node(name: &str, addresses: &[&str], pod_cidrs: &[&str]) -> Value {
    let addresses: Vec<_> = addresses.iter().map(|it| json!({"type": "InternalIP", "address": it})).collect();
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": pod_cidrs.first(), "podCIDRs": pod_cidrs}, "status": {"addresses": addresses},
    })
}

/// Returns the EndpointSlice of a Service for one family, from its ports (name, protocol, number) and its ready
/// endpoints (address, node).
pub fn endpoint_slice(
    (namespace, service): (&str, &str),
    family: &str,
    ports: &[(&str, &str, u16)],
    endpoints: &[(&str, &str)],
) -> Value {
    let ports: Vec<_> =
        ports.iter().map(|(name, protocol, port)| json!({"name": name, "protocol": protocol, "port": port})).collect();
    let conditions = json!({"ready": true, "serving": true, "terminating": false});
    let endpoints: Vec<_> = endpoints
        .iter()
        .map(|(address, node)| json!({"addresses": [address], "nodeName": node, "conditions": conditions}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {
            "namespace": namespace, "name": format!("{service}-{}", family.to_ascii_lowercase()),
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": ports, "endpoints": endpoints,
    })
}

/// What a run of kube-proxy is told.
pub struct ProxySettings<'a> {
    /// `iptables`, `nftables` or `ipvs`.
    pub mode: &'a str,
    /// The name of the Node whose addresses count as its own, the first one's family being the primary.
    pub node: &'a str,
    /// One CIDR of pods for each family served.
    pub cluster_cidrs: &'a [&'a str],
    /// Ranges of node addresses that serve NodePorts, or `primary`; kube-proxy's own default if empty.
    pub node_port_addresses: &'a [&'a str],
    /// The path of the kubeconfig.
    pub kubeconfig: &'a str,
    /// Feature gates to open, such as `NFTablesProxyMode`, without which Kubernetes 1.30 has no nftables mode.
    pub feature_gates: &'a [&'a str],
}

impl ProxySettings<'_> {
    /// Returns the KubeProxyConfiguration, which is JSON and so YAML too.
    pub fn configuration(&self) -> String {
        let gates: BTreeMap<_, _> = self.feature_gates.iter().map(|gate| (*gate, true)).collect();
        let config = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": self.mode, "hostnameOverride": self.node, "clusterCIDR": self.cluster_cidrs.join(","),
            "nodePortAddresses": self.node_port_addresses, "featureGates": gates,
            "clientConnection": {"kubeconfig": self.kubeconfig, "contentType": "application/json"},
            "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
            // Left alone: some of these are one for the whole machine, and read-only in a network namespace.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        });
        format!("{config:#}\n")
    }
}
