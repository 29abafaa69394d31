//! From the tree of a ConfigMap's text to what it says; every value by its grammar, every other one a finding.

use super::super::rules;
use super::super::spec::{Bfd, PrefixV4, PrefixV6};
use super::{Advertisement, ConfigMap, Expression, KEYS, NodeSelector, Peer, Pool};
use crate::finding::{Finding, Place, Route, Rule, listed, nearest, shown};
use crate::grammar::{AddressRange, Community, DnsLabel, Family, Grammar, ObjectName, Refusal};
use crate::source::{Node, Value};

/// A value and the way to it.
#[derive(Clone)]
struct At<'a> {
    node: &'a Node,
    route: Route,
}

struct Reader<'a> {
    findings: &'a mut Vec<Finding>,
}

/// Everything in the text, as far as it can be read.
pub fn config(root: &Node, namespace: DnsLabel, findings: &mut Vec<Finding>) -> Option<ConfigMap> {
    let mut reader = Reader { findings };
    let top = At { node: root, route: Route::default() };
    reader.known(&top, &KEYS)?;
    let communities: Vec<_> = reader.map(&top, "bgp-communities");
    let bfd_profiles: Vec<_> =
        reader.list(&top, "bfd-profiles").iter().filter_map(|at| reader.bfd_profile(at)).collect();
    let names = communities.iter().map(|(name, _): &(DnsLabel, Community)| name).collect::<Vec<_>>();
    let pools = reader.list(&top, "address-pools").iter().filter_map(|at| reader.pool(at, &names)).collect();
    let peers = reader.list(&top, "peers").iter().filter_map(|at| reader.peer(at, &bfd_profiles)).collect();
    Some(ConfigMap { namespace, pools, peers, communities, bfd_profiles })
}

impl Reader<'_> {
    fn say(&mut self, rule: &'static Rule, route: Route, message: String, help: impl Into<String>) {
        self.findings.push(Finding::new(rule, Place::Value(route), message, help));
    }

    /// A map with these keys and no other.
    fn known(&mut self, at: &At<'_>, keys: &[&str]) -> Option<()> {
        let Value::Map(entries) = &at.node.value else {
            self.say(
                &rules::WRONG_TYPE,
                at.route.clone(),
                "a map is wanted here".to_owned(),
                format!("it has {}", listed(keys)),
            );
            return None;
        };
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let help = match nearest(&entry.key, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "MetalLB's objects have nothing like it: take it out".to_owned(),
            };
            let message = format!("MetalLB's ConfigMap has no `{}` here", shown(&entry.key));
            self.findings.push(Finding::new(
                &rules::UNKNOWN_FIELD,
                Place::Key(at.route.key(&entry.key)),
                message,
                help,
            ));
        }
        Some(())
    }

    fn list<'n>(&mut self, at: &At<'n>, key: &str) -> Vec<At<'n>> {
        let Some(node) = at.node.get(key) else { return Vec::new() };
        let route = at.route.key(key);
        match &node.value {
            Value::Null => Vec::new(),
            Value::Seq(items) => {
                items.iter().enumerate().map(|(position, node)| At { node, route: route.index(position) }).collect()
            }
            _ => {
                self.say(&rules::WRONG_TYPE, route, format!("`{key}` is no list"), "write a list");
                Vec::new()
            }
        }
    }

    /// A map of names to values, both by their grammars.
    fn map<K: Grammar, V: Grammar>(&mut self, at: &At<'_>, key: &str) -> Vec<(K, V)> {
        let Some(node) = at.node.get(key) else { return Vec::new() };
        let route = at.route.key(key);
        let Value::Map(entries) = &node.value else {
            self.say(&rules::WRONG_TYPE, route, format!("`{key}` is no map"), "write a map");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for entry in entries {
            let at = At { node: &entry.value, route: route.key(&entry.key) };
            let name = entry.key.parse().map_err(|refusal| self.refused(&at.route, &entry.key, &refusal)).ok();
            pairs.extend(name.zip(self.value(&at)));
        }
        pairs
    }

    fn refused(&mut self, route: &Route, text: &str, refusal: &Refusal) {
        let message = format!("`{}` is not {}", shown(text), refusal.wanted);
        self.say(&rules::INVALID_VALUE, route.clone(), message, refusal.help.clone());
    }

    fn value<T: Grammar>(&mut self, at: &At<'_>) -> Option<T> {
        let Value::Str(text) = &at.node.value else {
            self.say(&rules::WRONG_TYPE, at.route.clone(), "a text is wanted here".to_owned(), "put it in quotes");
            return None;
        };
        text.parse().map_err(|refusal| self.refused(&at.route, text, &refusal)).ok()
    }

    fn text<T: Grammar>(&mut self, at: &At<'_>, key: &str) -> Option<T> {
        let node = at.node.get(key)?;
        self.value(&At { node, route: at.route.key(key) })
    }

    fn number<T: TryFrom<u32, Error = &'static str>>(&mut self, at: &At<'_>, key: &str) -> Option<T> {
        let node = at.node.get(key)?;
        let wanted = match node.value {
            Value::Int(number) => {
                u32::try_from(number).map_err(|_| "a number that is not negative").and_then(T::try_from)
            }
            _ => Err("a whole number"),
        };
        let refused = |wanted: &str| {
            let message = format!("`{key}` is out of bounds");
            self.say(&rules::INVALID_VALUE, at.route.key(key), message, format!("write {wanted}"));
        };
        wanted.map_err(refused).ok()
    }

    fn flag(&mut self, at: &At<'_>, key: &str) -> Option<bool> {
        if let Value::Bool(flag) = at.node.get(key)?.value {
            return Some(flag);
        }
        let message = format!("`{key}` is neither true nor false");
        self.say(&rules::WRONG_TYPE, at.route.key(key), message, "write one of the two");
        None
    }

    /// Says that a field is missing, unless it is there and faulty, which was said.
    fn required<T>(&mut self, at: &At<'_>, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && at.node.get(key).is_none() {
            let message = format!("`{key}` is missing");
            self.say(&rules::MISSING_FIELD, at.route.clone(), message, format!("add `{key}`"));
        }
        value
    }

    fn pool(&mut self, at: &At<'_>, communities: &[&DnsLabel]) -> Option<Pool> {
        self.known(at, &["name", "protocol", "addresses", "auto-assign", "avoid-buggy-ips", "bgp-advertisements"])?;
        let name = self.text(at, "name");
        let name = self.required(at, "name", name);
        let ranges = self.list(at, "addresses");
        let addresses: Vec<_> = ranges.iter().filter_map(|range| self.value(range)).collect();
        let addresses = self.required(at, "addresses", (!ranges.is_empty()).then_some(addresses));
        let advertisements = self.list(at, "bgp-advertisements");
        let protocol = match at.node.get("protocol").map(|node| &node.value) {
            Some(Value::Str(text)) if text == "bgp" => Some(true),
            Some(Value::Str(text)) if text == "layer2" => {
                if !advertisements.is_empty() {
                    let message = "`bgp-advertisements` of a pool that is announced by layer 2".to_owned();
                    self.say(
                        &rules::INVALID_VALUE,
                        at.route.key("bgp-advertisements"),
                        message,
                        "take it out, or set `protocol: bgp`",
                    );
                }
                Some(false)
            }
            Some(_) => {
                let message = "this is no protocol of MetalLB".to_owned();
                self.say(&rules::INVALID_VALUE, at.route.key("protocol"), message, "write `layer2` or `bgp`");
                None
            }
            None => self.required(at, "protocol", None),
        };
        let bgp: Vec<_> = advertisements
            .iter()
            .filter_map(|at| {
                let advertisement = self.advertisement(at, communities)?;
                self.within(at, &advertisement, addresses.as_deref().unwrap_or_default());
                Some(advertisement)
            })
            .collect();
        Some(Pool {
            name: name?,
            addresses: addresses?,
            auto_assign: self.flag(at, "auto-assign"),
            avoid_buggy_ips: self.flag(at, "avoid-buggy-ips"),
            bgp: protocol?.then_some(bgp),
        })
    }

    /// Says that an announcement is wider than anything in its pool, which MetalLB refuses.
    fn within(&mut self, at: &At<'_>, advertisement: &Advertisement, addresses: &[AddressRange]) {
        let lengths = [
            (Family::IPv4, "aggregation-length", advertisement.aggregation_length.map(PrefixV4::get)),
            (Family::IPv6, "aggregation-length-v6", advertisement.aggregation_length_v6.map(PrefixV6::get)),
        ];
        for (family, field, length) in lengths {
            let of_family = addresses.iter().filter(|range| range.family() == family);
            let Some((length, range)) = length.and_then(|length| {
                of_family.map(|range| (length, range)).find(|(length, range)| range.widest_prefix() > *length)
            }) else {
                continue;
            };
            let message = format!("a /{length} is wider than anything in `{range}`, and MetalLB refuses it");
            let help = format!("write {} or more", range.widest_prefix());
            self.say(&rules::INVALID_VALUE, at.route.key(field), message, help);
        }
    }

    fn advertisement(&mut self, at: &At<'_>, names: &[&DnsLabel]) -> Option<Advertisement> {
        self.known(at, &["aggregation-length", "aggregation-length-v6", "localpref", "communities"])?;
        let mut communities = Vec::new();
        for at in self.list(at, "communities") {
            match &at.node.value {
                Value::Str(text) if names.iter().any(|name| name.as_str() == text) => communities.push(text.clone()),
                _ => communities.extend(self.value::<Community>(&at).map(|community| community.to_string())),
            }
        }
        Some(Advertisement {
            aggregation_length: self.number(at, "aggregation-length"),
            aggregation_length_v6: self.number(at, "aggregation-length-v6"),
            local_pref: self.number(at, "localpref"),
            communities,
        })
    }

    fn peer(&mut self, at: &At<'_>, profiles: &[(ObjectName, Bfd)]) -> Option<Peer> {
        const FIELDS: [&str; 12] = [
            "my-asn",
            "peer-asn",
            "peer-address",
            "source-address",
            "peer-port",
            "hold-time",
            "keepalive-time",
            "router-id",
            "node-selectors",
            "password",
            "bfd-profile",
            "ebgp-multihop",
        ];
        self.known(at, &FIELDS)?;
        let my_asn = self.number(at, "my-asn");
        let my_asn = self.required(at, "my-asn", my_asn);
        let asn = self.number(at, "peer-asn");
        let asn = self.required(at, "peer-asn", asn);
        let address = self.text(at, "peer-address");
        let address = self.required(at, "peer-address", address);
        let bfd_profile: Option<ObjectName> = self.text(at, "bfd-profile");
        if let Some(name) = bfd_profile.as_ref().filter(|name| !profiles.iter().any(|(known, _)| known == *name)) {
            let message = format!("there is no profile `{name}` among `bfd-profiles`");
            self.say(&rules::INVALID_VALUE, at.route.key("bfd-profile"), message, "name one of them, or add it there");
        }
        let selectors = self.list(at, "node-selectors");
        Some(Peer {
            my_asn: my_asn?,
            asn: asn?,
            address: address?,
            source_address: self.text(at, "source-address"),
            port: self.number(at, "peer-port"),
            hold_time: self.text(at, "hold-time"),
            keepalive_time: self.text(at, "keepalive-time"),
            router_id: self.text(at, "router-id"),
            has_password: at.node.get("password").is_some(),
            bfd_profile,
            ebgp_multi_hop: self.flag(at, "ebgp-multihop").unwrap_or(false),
            node_selectors: selectors.iter().filter_map(|at| self.node_selector(at)).collect(),
        })
    }

    fn node_selector(&mut self, at: &At<'_>) -> Option<NodeSelector> {
        self.known(at, &["match-labels", "match-expressions"])?;
        let expressions = self.list(at, "match-expressions");
        Some(NodeSelector {
            labels: self.map(at, "match-labels"),
            expressions: expressions.iter().filter_map(|at| self.expression(at)).collect(),
        })
    }

    fn expression(&mut self, at: &At<'_>) -> Option<Expression> {
        const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];
        self.known(at, &["key", "operator", "values"])?;
        let key = self.text(at, "key");
        let key = self.required(at, "key", key);
        let operator = at.node.get("operator").and_then(|node| match &node.value {
            Value::Str(text) => OPERATORS.into_iter().find(|known| known == text),
            _ => None,
        });
        if operator.is_none() {
            let message = "this is no operator of a selector".to_owned();
            self.say(&rules::INVALID_VALUE, at.route.key("operator"), message, format!("one of {}", listed(OPERATORS)));
        }
        let values = self.list(at, "values");
        Some(Expression {
            key: key?,
            operator: operator?,
            values: values.iter().filter_map(|at| self.value(at)).collect(),
        })
    }

    fn bfd_profile(&mut self, at: &At<'_>) -> Option<(ObjectName, Bfd)> {
        const FIELDS: [&str; 8] = [
            "name",
            "receive-interval",
            "transmit-interval",
            "detect-multiplier",
            "echo-interval",
            "echo-mode",
            "passive-mode",
            "minimum-ttl",
        ];
        self.known(at, &FIELDS)?;
        let name = self.text(at, "name");
        let name = self.required(at, "name", name);
        let bfd = Bfd {
            receive_interval: self.number(at, "receive-interval"),
            transmit_interval: self.number(at, "transmit-interval"),
            detect_multiplier: self.number(at, "detect-multiplier"),
            echo_interval: self.number(at, "echo-interval"),
            echo_mode: self.flag(at, "echo-mode"),
            passive_mode: self.flag(at, "passive-mode"),
            minimum_ttl: self.number(at, "minimum-ttl"),
        };
        Some((name?, bfd))
    }
}
