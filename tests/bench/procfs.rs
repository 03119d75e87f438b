//! What the kernel knows about a process and everything it started: CPU time and resident memory.

use std::{collections::BTreeMap, fs, time::Duration};

use crate::Outcome;

/// `/proc` counts CPU time in these, on every Linux that runs here.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process tree, twice: coarse and whole, fine and per thread.
#[derive(Debug)]
pub(crate) struct Cpu {
    /// utime + stime of every process.
    ticks: u64,
    /// Nanoseconds on a CPU of every thread that lives now.
    threads: BTreeMap<u32, u64>,
}

impl Cpu {
    /// Reads the tree below `root`.
    pub(crate) fn of(root: u32) -> Outcome<Self> {
        let mut cpu = Self { ticks: 0, threads: BTreeMap::new() };
        for pid in tree(root)? {
            let Some(stat) = Stat::of(pid) else { continue };
            cpu.ticks += stat.ticks;
            cpu.threads.extend(threads(pid));
        }
        Ok(cpu)
    }

    /// What was used since `before`. Threads are exact, unless one of them has ended in between.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let alive = before.threads.keys().all(|thread| self.threads.contains_key(thread));
        if alive && !self.threads.is_empty() {
            let used = self.threads.iter().map(|(thread, now)| {
                now.saturating_sub(before.threads.get(thread).copied().unwrap_or(0))
            });
            return Duration::from_nanos(used.sum());
        }
        let ticks = self.ticks.saturating_sub(before.ticks);
        TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// Everything since the tree was started.
    pub(crate) fn total(&self) -> Duration {
        TICK.saturating_mul(u32::try_from(self.ticks).unwrap_or(u32::MAX))
    }
}

/// Resident bytes of the tree below `root`.
pub(crate) fn resident(root: u32) -> Outcome<u64> {
    Ok(tree(root)?.into_iter().filter_map(resident_of_one).sum())
}

/// Facts for the head of the table.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let megabytes = kilobytes(&memory, "MemTotal:").unwrap_or(0) / 1024;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, {megabytes} MB, Linux {}, loopback", kernel.trim())
}

/// Processes that wanted a core in the last minute: rates of a busy machine say little.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold spaces and parentheses itself.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let user: u64 = fields.nth(9)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Self { parent, ticks: user + system })
    }
}

fn threads(pid: u32) -> Vec<(u32, u64)> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let one = |entry: fs::DirEntry| {
        let thread: u32 = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        Some((thread, text.split_ascii_whitespace().next()?.parse().ok()?))
    };
    tasks.flatten().filter_map(one).collect()
}

/// `smaps_rollup` is exact; `status` may lag by a few pages per CPU.
fn resident_of_one(pid: u32) -> Option<u64> {
    let exact = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    let exact = exact.as_deref().and_then(|text| kilobytes(text, "Rss:"));
    let kilobytes = exact.or_else(|| {
        kilobytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
    })?;
    Some(kilobytes * 1024)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// `root` and every process below it.
fn tree(root: u32) -> Outcome<Vec<u32>> {
    let pids = fs::read_dir("/proc")?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, Stat::of(pid)?.parent))
    });
    let parents: BTreeMap<u32, u32> = pids.collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        let below = parents.iter().filter(|(_, of)| **of == parent);
        found.extend(below.map(|(pid, _)| *pid));
    }
    Ok(found)
}
