use arbitrary::{Arbitrary as _, Unstructured};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::Dag;

#[test]
fn clocks_and_timelines_of_any_history_follow_the_naive_rule() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut entries = 0;
    for _ in 0..3_000 {
        let mut bytes = vec![0; 1 + usize::try_from(rng.next_u32() % 700).unwrap()];
        rng.fill_bytes(&mut bytes);
        let dag = Dag::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        entries += dag.sketches.len();
        dag.check();
    }
    assert!(entries > 10_000, "{entries}");
}
