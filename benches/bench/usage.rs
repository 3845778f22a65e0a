//! CPU time and memory of processes, as Linux reports them in /proc.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Linux counts CPU time for user space in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Its maximum so far.
    pub peak: u64,
    /// At present.
    pub now: u64,
}

/// The CPU time that a process used so far, with that of children it has waited for.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = Stat::read(pid).with_context(|| format!("process {pid} is gone"))?;
    Ok(TICK * stat.ticks)
}

/// The same, including running children: for a postmaster, all of Postgres.
pub fn cpu_with_children(pid: u32) -> anyhow::Result<Duration> {
    let processes = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = processes.filter_map(Stat::read).filter(|stat| stat.parent == pid);
    Ok(cpu(pid)? + TICK * children.map(|stat| stat.ticks).sum::<u32>())
}

/// The process that started this one.
pub fn parent(pid: u32) -> anyhow::Result<u32> {
    Ok(Stat::read(pid).with_context(|| format!("process {pid} is gone"))?.parent)
}

/// The memory of a process.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    let bytes = |name: &str| kilobytes(name).map(|count: u64| count * 1024).context("no memory in /proc");
    Ok(Memory { peak: bytes("VmHWM:")?, now: bytes("VmRSS:")? })
}

struct Stat {
    parent: u32,
    ticks: u32,
}

impl Stat {
    /// None: the process is gone.
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u32>().ok()).sum::<Option<u32>>()?;
        Some(Self { parent: fields[1].parse().ok()?, ticks })
    }
}
