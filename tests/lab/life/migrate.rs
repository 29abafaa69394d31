//! Migrations walked as `portgen migrate` tells them, while clients connect to where it says that they do.
//!
//! Nothing of the order is written here: each step's plan and tree are what portgen made, and the walk does to Services,
//! pods and nodes what differs from the step before.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portgen::compare::Kind;
use portgen::migrate::{self, Gap, Migration, Step, What};
use portgen::plan::{Gateway, Plan, ServiceType};

use super::Stage;
use super::reload::{ALONE, come};
use crate::net::{FAMILIES, LOAD_BALANCER, NODES};
use crate::node::Tree;
use crate::scene::{self, Scene};
use crate::traffic::PATIENCE;

/// So many new connections must have come between two changes.
const BETWEEN: u64 = 20;
const PACE: Duration = Duration::from_millis(5);

/// Walks from one exposure to another.
pub fn walk(stage: Stage, exposures: [&str; 2]) -> Result<String, String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut walk, migration) = Walk::start(stage, exposures)?;
    for step in &migration.steps {
        walk.step(step).map_err(|what| format!("{}: {what}", step.what))?;
    }
    walk.told(&migration)
}

/// Puts the last tree in place of the first, in the order that a new cluster's README has: what the steps are for.
pub fn at_once(stage: Stage, exposures: [&str; 2]) -> Result<String, String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut walk, migration) = Walk::start(stage, exposures)?;
    let last = migration.steps.last().expect("a step");
    let tree = Arc::new(Tree::of(&last.tree));
    for node in 0..NODES.len() {
        walk.scene.replace(node, &tree);
        walk.scene.unit(node, "ExecReload");
    }
    walk.wait()?;
    if walk.failed(|_| true) == 0 {
        return Err("nobody noticed".to_owned());
    }
    walk.serve(&last.plan);
    walk.wait()?;
    walk.forgive();
    walk.go_on("with the Service")?;
    Ok("node files first: new connections fail until the Service is there".to_owned())
}

fn gateway(plan: &Plan) -> &Gateway {
    plan.gateways.values().next().expect("a gateway")
}

struct Walk {
    scene: Scene,
    endpoints: Vec<usize>,
    plan: Plan,
    clients: Option<Clients>,
    /// What those met who moved away.
    left: Vec<[u64; 2]>,
}

impl Walk {
    /// The old way with clients, and the steps to the new one.
    fn start(stage: Stage, [from, to]: [&str; 2]) -> Result<(Self, Migration), String> {
        let across = "{strategy: nodePortRedirect}";
        let [old, new, bridge] = [from, to, across].map(|exposure| scene::plan(&stage.spec(exposure)));
        let name = &gateway(&old).name;
        let migration = migrate::migrate(&old, &new, Some(&bridge), name).map_err(|why| format!("{why:?}"))?;
        let mut scene = Scene::new(stage.data_plane, &stage.spec(from));
        scene.install(&Arc::new(Tree::of(&migration.start)));
        let first = if gateway(&old).needs.host_network { 2 } else { 0 };
        let endpoints = vec![first, first + 1];
        let mut walk = Self { scene, endpoints, plan: old, clients: None, left: Vec::new() };
        walk.serve(&walk.plan.clone());
        walk.clients = Some(Clients::start(&walk.scene, gateway(&walk.plan)));
        walk.go_on("at first")?;
        Ok((walk, migration))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        if let What::Move(..) = step.what {
            return self.move_clients(&step.plan);
        }
        // The order of the commands: what applies to Services, then nodes, then pods.
        self.serve(&step.plan);
        self.go_on("after the Service")?;
        if step.changes.iter().any(|change| change.path.starts_with("nodes")) {
            self.nodes(step)?;
        }
        let hosts = |plan: &Plan| gateway(plan).needs.host_network;
        if hosts(&self.plan) != hosts(&step.plan) {
            self.pods(&step.plan)?;
        }
        self.plan = step.plan.clone();
        self.go_on("at the end")
    }

    /// Makes the Services those of a plan.
    fn serve(&mut self, plan: &Plan) {
        let main = gateway(plan);
        let outside = |way: &Gateway| way.needs.service_type != ServiceType::ClusterIp;
        assert!(
            plan.beside.iter().all(|way| way.service.name == main.service.name || !outside(way)),
            "the walk knows one Service"
        );
        let other = self.scene.services.pop().expect("somebody else's");
        self.scene.services = if outside(main) { vec![scene::service(main, &self.endpoints)] } else { Vec::new() };
        self.scene.services.push(other);
        self.scene.sync();
    }

    /// One node after the other: files, then a reload, or what the commands of the step say where files come or leave.
    fn nodes(&mut self, step: &Step) -> Result<(), String> {
        let tree = Arc::new(Tree::of(&step.tree));
        let gone = step.changes.iter().any(|change| change.kind == Kind::Removed && change.path.starts_with("nodes"));
        let stops = gone || step.gaps.contains(&Gap::Reloaded);
        let starts = stops || self.plan.nodes.is_empty();
        for node in 0..NODES.len() {
            if stops {
                self.scene.unit(node, "ExecStop");
            }
            self.scene.replace(node, &tree);
            self.scene.unit(node, if starts { "ExecStart" } else { "ExecReload" });
            let others = self.failed(|at| at != node);
            if others > 0 {
                return Err(format!("{others} connections to another node than the one that is changed failed"));
            }
            if step.gaps.contains(&Gap::Reloaded) {
                self.clients.as_ref().expect("clients").wait(true)?;
                self.forgive();
            }
            self.wait()?;
            self.fine(&format!("after node{}", node + 1))?;
        }
        Ok(())
    }

    /// As a Deployment's rolling update: a new one first where the plan has room for it, else the old one first.
    fn pods(&mut self, plan: &Plan) -> Result<(), String> {
        let (new, old) = if gateway(plan).needs.host_network { (2, 0) } else { (0, 2) };
        for position in 0..NODES.len() {
            let come = |walk: &mut Self| {
                walk.scene.listen(new + position);
                walk.endpoints.push(new + position);
                walk.serve(plan);
            };
            let surge = gateway(plan).needs.rollout.max_surge > 0;
            if surge {
                come(self);
            }
            self.endpoints.retain(|&one| one != old + position);
            self.serve(plan);
            // A pod ends when no node sends to it any longer.
            self.wait()?;
            self.scene.close(old + position);
            if !surge {
                come(self);
            }
            self.go_on(&format!("after pod {}", position + 1))?;
        }
        Ok(())
    }

    /// New clients come before the old ones go.
    fn move_clients(&mut self, plan: &Plan) -> Result<(), String> {
        let new = Clients::start(&self.scene, wanted(plan));
        new.wait(false)?;
        self.go_on("with clients of both")?;
        let old = self.clients.replace(new).expect("clients");
        self.left.push(old.stop());
        self.go_on("with clients of the new way")
    }

    fn wait(&self) -> Result<(), String> {
        self.clients.as_ref().expect("clients").wait(false)
    }

    fn go_on(&self, when: &str) -> Result<(), String> {
        self.wait()?;
        self.fine(when)
    }

    fn fine(&self, when: &str) -> Result<(), String> {
        match self.failed(|_| true) {
            0 => Ok(()),
            failed => Err(format!("{when}: {failed} connections failed")),
        }
    }

    fn failed(&self, at: impl Fn(usize) -> bool) -> u64 {
        let counts = &self.clients.as_ref().expect("clients").counts;
        counts.iter().filter(|count| at(count.node)).map(|count| count.failed.load(Ordering::Relaxed)).sum()
    }

    /// What the step says that it costs.
    fn forgive(&self) {
        for count in &self.clients.as_ref().expect("clients").counts {
            count.failed.store(0, Ordering::Relaxed);
        }
    }

    fn told(mut self, migration: &Migration) -> Result<String, String> {
        self.left.extend(self.clients.take().map(Clients::stop));
        let [asked, failed] = self.left.iter().fold([0, 0], |[a, b], [asked, failed]| [a + asked, b + failed]);
        if asked == 0 || failed > 0 {
            return Err(format!("{failed} of {asked} connections failed"));
        }
        let steps = migration.steps.len();
        let said = match migration.gaps().count() {
            0 => "none of the new connections fails".to_owned(),
            _ => "new connections fail only to the node that is changed, in the step that says so".to_owned(),
        };
        Ok(format!("{steps} steps: {said}"))
    }
}

/// The way in that clients move to: the one that is not the gateway's own any longer, or is not yet.
fn wanted(plan: &Plan) -> &Gateway {
    plan.beside.first().unwrap_or_else(|| gateway(plan))
}

/// Clients that open one connection after the other, at both nodes and in both families.
struct Clients {
    stop: Arc<AtomicBool>,
    counts: Vec<Arc<Count>>,
    threads: Vec<JoinHandle<()>>,
}

/// What one of them met.
struct Count {
    /// Where it connects: a node's position.
    node: usize,
    asked: AtomicU64,
    failed: AtomicU64,
}

impl Clients {
    fn start(scene: &Scene, way: &Gateway) -> Self {
        let port = way.ports.values().map(|port| way.public_port(port).get()).next().expect("a port");
        let load_balancer = way.strategy.announced().is_some();
        let mut clients = Self { stop: Arc::default(), counts: Vec::new(), threads: Vec::new() };
        // The router finds a load balancer's address at node1.
        for (node, address) in NODES.into_iter().enumerate().filter(|(node, _)| *node == 0 || !load_balancer) {
            for family in FAMILIES {
                let host = family.of(if load_balancer { LOAD_BALANCER } else { address });
                let (to, stop) = (SocketAddr::new(host, port), Arc::clone(&clients.stop));
                let count = Arc::new(Count { node, asked: AtomicU64::new(0), failed: AtomicU64::new(0) });
                clients.counts.push(Arc::clone(&count));
                clients.threads.push(scene.net.client.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let failed = come(to).is_err();
                        count.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
                        count.asked.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(PACE);
                    }
                }));
            }
        }
        clients
    }

    /// Until each of them has asked so many times more; or until one failed, for whoever asks then how many did.
    fn wait(&self, whatever_fails: bool) -> Result<(), String> {
        let failed = || self.counts.iter().any(|count| count.failed.load(Ordering::Relaxed) > 0);
        let count = || -> Vec<u64> { self.counts.iter().map(|count| count.asked.load(Ordering::Relaxed)).collect() };
        let (before, ends) = (count(), Instant::now() + 10 * PATIENCE);
        while count().iter().zip(&before).any(|(now, before)| *now < before + BETWEEN) {
            if failed() && !whatever_fails {
                break;
            }
            if Instant::now() > ends {
                return Err("some client does not get on".to_owned());
            }
            thread::sleep(PACE);
        }
        Ok(())
    }

    /// Ends them; gives how many connections there were, and how many failed.
    fn stop(mut self) -> [u64; 2] {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().expect("a thread"));
        let sum =
            |of: fn(&Count) -> &AtomicU64| self.counts.iter().map(|count| of(count).load(Ordering::Relaxed)).sum();
        [sum(|count| &count.asked), sum(|count| &count.failed)]
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
