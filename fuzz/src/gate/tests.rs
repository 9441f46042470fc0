use arbitrary::{Arbitrary as _, Unstructured};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::{Content, Draft, Gate, Offered, Sent, Seq};

#[test]
fn whatever_gets_through_the_gate_reads_as_it_was_signed() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = vec![0; 400];
        rng.fill_bytes(&mut bytes);
        Offered::arbitrary(&mut Unstructured::new(&bytes)).unwrap().check();
    }
}

#[test]
fn a_member_gets_through_and_a_stranger_does_not() {
    for (author, more) in [(1, 1), (2, 0)] {
        let draft = Draft {
            author,
            incarnation: 0,
            seq: Seq::Next,
            dependencies: Vec::new(),
            sees_all: true,
            content: Content::Text(b'x'),
            claimed_ms: super::START_MS,
            record: None,
        };
        let sent = Sent {
            drafts: vec![draft],
            again: Vec::new(),
            is_live: true,
            keeps_signatures: true,
            flip: None,
        };
        let mut gate = Gate::new(604_800);
        let before = gate.admitted.len();
        gate.take(1, &sent);
        assert_eq!(gate.admitted.len(), before + more);
        gate.check();
    }
}
