//! The two replicas of the real binary: started, killed, stopped, frozen. Who delivers asks here where they are, and
//! whether a missing answer is excused.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{interval, timeout};

use crate::acting::GRACE;
use crate::harness::{PATIENCE, SECRET};
use crate::server::signal;
use crate::{binary, usage};

pub const REPLICAS: usize = 2;

/// What a replica is started with.
pub type Environment = Vec<(&'static str, String)>;

pub struct Replicas {
    slots: [Slot; REPLICAS],
    /// For logs.
    folder: PathBuf,
    starts: AtomicU32,
}

struct Slot {
    environment: Environment,
    process: tokio::sync::Mutex<Option<Process>>,
    place: Mutex<Place>,
}

/// Where a replica is at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    address: Option<SocketAddr>,
    /// Changes whenever it is killed, stopped, frozen or thawed.
    epoch: u32,
    is_frozen: bool,
}

struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl Process {
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).expect("a log");
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(4)..].join("\n")
    }
}

/// A replica that a delivery goes to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub slot: usize,
    pub address: SocketAddr,
    place: Place,
}

impl Replicas {
    /// Starts both; returns when they listen.
    pub async fn start(folder: &Path, environments: [Environment; REPLICAS]) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let slot = |environment| Slot { environment, process: tokio::sync::Mutex::default(), place: Mutex::default() };
        let slots = environments.map(slot);
        let replicas = Self { slots, folder: folder.to_owned(), starts: AtomicU32::new(0) };
        for slot in 0..REPLICAS {
            replicas.begin(slot).await;
        }
        replicas
    }

    /// One of those that run, this one if it does.
    pub fn target(&self, preferred: usize) -> Option<Target> {
        (0..REPLICAS).map(|n| (preferred + n) % REPLICAS).find_map(|slot| {
            let place = self.place(slot);
            Some(Target { slot, address: place.address?, place })
        })
    }

    /// Whether nothing happened to a replica since it was chosen.
    pub fn is_untouched(&self, target: &Target) -> bool {
        !target.place.is_frozen && self.place(target.slot) == target.place
    }

    /// SIGKILL: it gets no chance to do anything.
    pub async fn kill(&self, slot: usize) {
        let mut process = self.slots[slot].process.lock().await;
        self.touch(slot, |place| place.address = None);
        if let Some(mut process) = process.take() {
            process.child.kill().await.expect("it is there");
        }
    }

    /// SIGTERM; what is wrong with how it ended.
    pub async fn terminate(&self, slot: usize) -> Option<String> {
        let mut process = self.slots[slot].process.lock().await;
        self.touch(slot, |place| place.address = None);
        let mut process = process.take()?;
        signal("TERM", &[process.pid]).await;
        match timeout(GRACE + Duration::from_secs(2), process.child.wait()).await {
            Ok(Ok(status)) if status.success() => None,
            Ok(status) => Some(format!("a replica ended with {status:?}:\n{}", process.last_words())),
            Err(_) => {
                process.child.kill().await.expect("it is there");
                Some(format!("{:?} after SIGTERM a replica still ran", GRACE + Duration::from_secs(2)))
            }
        }
    }

    /// Starts it again, unless it runs; returns when it listens.
    pub async fn begin(&self, slot: usize) {
        let mut process = self.slots[slot].process.lock().await;
        if process.is_some() {
            return;
        }
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let (begun, address) = spawn(&self.slots[slot].environment, &self.folder.join(format!("{number}.log"))).await;
        *process = Some(begun);
        self.touch(slot, |place| place.address = Some(address));
    }

    pub async fn freeze(&self, slot: usize) {
        self.halt(slot, "STOP", true).await;
    }

    pub async fn thaw(&self, slot: usize) {
        self.halt(slot, "CONT", false).await;
    }

    async fn halt(&self, slot: usize, name: &str, is_frozen: bool) {
        let process = self.slots[slot].process.lock().await;
        self.touch(slot, |place| place.is_frozen = is_frozen);
        if let Some(process) = process.as_ref() {
            signal(name, &[process.pid]).await;
        }
    }

    /// The most memory that a running one has used, in bytes.
    pub async fn memory(&self) -> u64 {
        let mut most = 0;
        for slot in &self.slots {
            if let Some(process) = slot.process.lock().await.as_ref() {
                most = most.max(usage::memory(process.pid).map_or(0, |memory| memory.peak));
            }
        }
        most
    }

    /// The lines that all have logged, also those that ended.
    pub fn log_lines(&self) -> usize {
        let files = std::fs::read_dir(&self.folder).expect("the logs");
        let logs = files.map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a log"));
        logs.map(|log| log.iter().filter(|byte| **byte == b'\n').count()).sum()
    }

    fn place(&self, slot: usize) -> Place {
        *self.slots[slot].place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, slot: usize, change: impl FnOnce(&mut Place)) {
        let mut place = self.slots[slot].place.lock().unwrap_or_else(PoisonError::into_inner);
        place.epoch += 1;
        change(&mut place);
    }
}

/// Starts a process, and waits until its log says where it listens.
async fn spawn(environment: &Environment, log: &Path) -> (Process, SocketAddr) {
    let own: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let usual = [
        ("STRIPE_WEBHOOK_SECRETS", SECRET),
        ("CLAWBACK_LISTEN", "127.0.0.1:0"),
        ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("CLAWBACK_LOG_FORMAT", "json"),
    ];
    let output = File::create_new(log).expect("a log");
    let mut command = binary::command(&["serve"], &[&usual, own.as_slice()].concat());
    command.stderr(output.try_clone().expect("a log")).stdout(output);
    let child = command.spawn().expect("the binary runs");
    let pid = child.id().expect("it runs");
    let address = timeout(PATIENCE, address_in(log)).await.expect("it says where it listens in time");
    (Process { child, pid, log: log.to_owned() }, address)
}

async fn address_in(log: &Path) -> SocketAddr {
    let mut ticks = interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let text = std::fs::read_to_string(log).expect("a log");
        let named = text.split_once("listening on ").map(|(_, rest)| rest);
        if let Some(address) = named.and_then(|rest| rest.split([',', '\n', ' ', '"']).next()?.parse().ok()) {
            return address;
        }
    }
}
