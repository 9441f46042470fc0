use arbitrary::{Arbitrary as _, Unstructured};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::Attack;

#[test]
fn whatever_a_hostile_member_sends_the_honest_go_on() {
    for seed in 0..150 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = vec![0; 600];
        rng.fill_bytes(&mut bytes);
        Attack::arbitrary(&mut Unstructured::new(&bytes)).unwrap().check();
    }
}
