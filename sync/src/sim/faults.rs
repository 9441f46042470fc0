//! What goes wrong in a world, and how it is mended.

use super::{Frame, World};

use replica::block;
use replica::entry::{Body, Entry};
use replica::identity::Signature;
use replica::store::MemoryStore;

use crate::wire::Data;

use rand_chacha::rand_core::Rng as _;

impl World {
    /// A power cut: what was not synced is gone. It starts again at once.
    pub fn crash(&mut self, index: usize) {
        let image = self.replicas[index].store.crash();
        self.restart(index, image);
    }

    /// A program is killed, and does not run until it is started. Its machine goes on: what was written stays.
    pub fn stop(&mut self, index: usize) {
        self.drop_links(index);
        let image = self.replicas[index].store.kill();
        self.replicas[index].stop(image);
    }

    /// A stopped program runs again.
    pub fn start(&mut self, index: usize) {
        if self.replicas[index].engine.is_none() {
            let image = self.replicas[index].store.crash();
            self.restart(index, image);
        }
    }

    /// Takes a copy of what a replica's store has for good.
    pub fn back_up(&mut self, index: usize) {
        self.replicas[index].backup = Some(self.replicas[index].store.crash());
    }

    /// Puts the copy back, if there is one, and starts from it, without telling anyone.
    pub fn restore(&mut self, index: usize) {
        if let Some(image) = self.replicas[index].backup.take() {
            self.restart(index, image);
            self.replicas[index].was_restored();
        }
    }

    /// The next entries that a replica sends to another arrive altered, as a hostile member would.
    pub fn garble(&mut self, from: usize, to: usize) {
        self.garbles.insert((from, to));
    }

    /// The next entries that a replica sends to another never arrive, though the connection stands.
    pub fn lose(&mut self, from: usize, to: usize) {
        self.losses.insert((from, to));
    }

    /// All faults end: cuts heal, who is off or has a broken store starts with what is durable, clocks are set.
    pub fn mend(&mut self) {
        self.heal();
        self.garbles.clear();
        self.losses.clear();
        for index in 0..self.replicas.len() {
            let replica = &mut self.replicas[index];
            replica.skew_ms = 0;
            if replica.engine.is_none() || replica.is_failing {
                self.crash(index);
            }
        }
    }

    fn restart(&mut self, index: usize, image: MemoryStore) {
        self.drop_links(index);
        let now = self.now_of(index);
        let start = self.beginning(index, now);
        self.replicas[index].restart(image, self.room, &start);
        self.drain(index);
    }

    /// A frame of entries with its last one altered, if that is to be: another text, or a signature that is none.
    pub(super) fn garbled(&mut self, from: usize, to: usize, frame: &Frame) -> Option<Frame> {
        let (Frame::Data(Data { block: bytes, .. }) | Frame::Live(bytes)) = frame else { return None };
        if !self.garbles.contains(&(from, to)) {
            return None;
        }
        let alters_text = self.rng.next_u32().is_multiple_of(2);
        let graph = self.replicas[from].engine.as_ref()?.conversation().graph();
        let mut entries = block::decode(bytes, &self.room, graph).ok()?;
        let last = entries.pop()?;
        let mut record = last.record().clone();
        let mut signature = *last.signature()?;
        match last.body() {
            Body::Message(_) if alters_text => record.body = b"nobody said this".to_vec(),
            _ => signature = Signature(signature.0.map(|byte| byte ^ 1)),
        }
        entries.push(Entry::new(record, &self.room, Some(signature)).ok()?);
        let block = block::encode(&entries, matches!(frame, Frame::Live(_)), graph).ok()?;
        self.garbles.remove(&(from, to));
        Some(match frame {
            Frame::Data(data) => Frame::Data(Data { block, remaining: data.remaining }),
            _ => Frame::Live(block),
        })
    }
}
