//! The queue under a sink that is slow, that fails, and that is gone.

use super::super::LogLevel;
use super::super::lines::Lines;
use super::*;
use common::clock::ManualClock;

/// A sink that remembers; while its gate is held it stands still.
#[derive(Default)]
struct Memory {
    gate: Mutex<()>,
    refuse: Mutex<bool>,
    text: Mutex<String>,
}

impl LogSink for Memory {
    fn write(&self, plugin: &Name, block: &[u8]) -> io::Result<()> {
        let _open = self.gate.lock();
        if *self.refuse.lock() {
            return Err(io::Error::other("no space"));
        }
        for line in std::str::from_utf8(block).unwrap().lines() {
            let text = line.splitn(3, ' ').nth(2).unwrap().trim_start();
            *self.text.lock() += &format!("{plugin} {text}\n");
        }
        Ok(())
    }
}

fn block(plugin: &str, text: &[u8]) -> Block {
    let mut lines = Lines::begin(Vec::new(), BLOCK_BYTES, 0, 0);
    lines.push(LogLevel::Info, 0, text);
    Block { plugin: Name::new(plugin).unwrap(), instance: 1, lines, dropped: 0 }
}

fn start() -> (LogBus, Arc<Memory>, Arc<ManualClock>) {
    let sink = Arc::new(Memory::default());
    (LogBus::start(sink.clone()).unwrap(), sink, ManualClock::at(0))
}

#[test]
fn blocks_of_each_plugin_are_written_in_order() {
    let (bus, sink, clock) = start();
    for i in 0..100 {
        for plugin in ["b", "a"] {
            bus.shared.send(block(plugin, i.to_string().as_bytes()), Deadline::NEVER, &*clock).unwrap();
        }
    }
    bus.flush();
    let text = sink.text.lock();
    for plugin in ["a", "b"] {
        let lines: Vec<String> = text.lines().filter(|l| l.starts_with(plugin)).map(Into::into).collect();
        let expected: Vec<String> = (0..100).map(|i| format!("{plugin} #1 {i}")).collect();
        assert_eq!(lines, expected);
    }
    assert_eq!(bus.stats(), LogStats { blocks: 200, lost: 0, failed: 0 });
}

/// Fills the queue behind a sink that stands still; gives the number of blocks taken.
fn fill(bus: &LogBus, clock: &ManualClock) -> u64 {
    let passed = Deadline::at_ms(0);
    let mut taken = 0;
    while bus.shared.send(block("p", &[b'x'; 4000]), passed, clock).is_ok() {
        taken += 1;
    }
    taken
}

#[test]
fn a_full_queue_holds_a_caller_until_its_deadline_and_counts_what_is_lost() {
    let (bus, sink, clock) = start();
    let gate = sink.gate.lock();
    let taken = fill(&bus, &clock);
    assert!((1900..2100).contains(&taken), "8 MiB of 4 KiB: {taken}");
    // The clock moves while the caller waits; it gives up when its deadline comes.
    let gave_up = std::thread::scope(|scope| {
        let sent = scope.spawn(|| bus.shared.send(block("p", &[b'y'; 4000]), Deadline::at_ms(10), &*clock));
        while !sent.is_finished() {
            clock.advance(Duration::from_millis(1));
            std::thread::yield_now();
        }
        sent.join().unwrap()
    });
    assert_eq!(gave_up.unwrap_err().lines.count(), 1);
    assert_eq!(bus.stats(), LogStats { blocks: taken, lost: 2, failed: 0 });
    drop(gate);
    bus.flush();
    assert_eq!(sink.text.lock().lines().count() as u64, taken);
    assert_eq!(bus.shared.state.lock().bytes, 0);
}

#[test]
fn a_caller_with_time_left_gets_room_when_the_sink_moves_on() {
    let (bus, sink, clock) = start();
    let gate = sink.gate.lock();
    let taken = fill(&bus, &clock);
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| bus.shared.send(block("p", &[b'y'; 4000]), Deadline::NEVER, &*clock));
        drop(gate);
        assert!(sent.join().unwrap().is_ok());
    });
    bus.flush();
    assert_eq!(sink.text.lock().lines().count() as u64, taken + 1);
}

#[test]
fn a_sink_that_refuses_is_counted_and_tried_again() {
    let (bus, sink, clock) = start();
    *sink.refuse.lock() = true;
    bus.shared.send(block("p", b"lost"), Deadline::NEVER, &*clock).unwrap();
    bus.flush();
    *sink.refuse.lock() = false;
    bus.shared.send(block("p", b"kept"), Deadline::NEVER, &*clock).unwrap();
    bus.flush();
    assert_eq!(*sink.text.lock(), "p #1 kept\n");
    assert_eq!(bus.stats(), LogStats { blocks: 2, lost: 0, failed: 1 });
}

#[test]
fn a_sleeping_thread_is_woken() {
    let (bus, sink, clock) = start();
    while !bus.shared.state.lock().asleep {
        std::thread::yield_now();
    }
    bus.shared.send(block("p", b"awake"), Deadline::NEVER, &*clock).unwrap();
    while sink.text.lock().is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn a_dropped_bus_has_written_everything_and_takes_no_more() {
    let (bus, sink, clock) = start();
    let shared = bus.shared();
    for _ in 0..50 {
        shared.send(block("p", b"line"), Deadline::NEVER, &*clock).unwrap();
    }
    drop(bus);
    assert_eq!(sink.text.lock().lines().count(), 50);
    assert!(shared.send(block("p", b"late"), Deadline::NEVER, &*clock).is_err());
    assert_eq!(shared.state.lock().stats.lost, 1);
}

#[test]
fn buffers_come_back() {
    let (bus, _sink, clock) = start();
    bus.shared.send(block("p", &[b'x'; 1000]), Deadline::NEVER, &*clock).unwrap();
    bus.flush();
    assert!(bus.shared.buffer().capacity() >= 1000);
    assert_eq!(bus.shared.buffer().capacity(), 0);
}
