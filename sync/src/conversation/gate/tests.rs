use replica::id::AuthorKey;

use super::*;

const CHAIN: ChainId = ChainId { author: AuthorKey([1; 32]), incarnation: 1 };
const CAUSE: Cause = (CHAIN, 7, [7; 16]);

fn frame() -> Waiting {
    Waiting { connection: ConnectionId(1), frame: 0, kind: BlockKind::Data, bytes: vec![0; 100], tries: 0 }
}

#[test]
fn a_frame_waits_for_the_entry_it_builds_on_and_not_for_another_in_its_place() {
    let mut pool = Pool::default();
    pool.put(CAUSE, frame());
    for other in [(CHAIN, 7, [8; 16]), (CHAIN, 8, [7; 16])] {
        assert!(pool.take(&other).is_empty());
    }
    assert_eq!((pool.bytes, pool.take(&CAUSE).len(), pool.bytes), (100, 1, 0));
}

#[test]
fn a_frame_that_waits_for_one_after_the_other_is_forgotten_in_the_end() {
    let mut pool = Pool::default();
    let mut waiting = vec![frame()];
    for _ in 0..TRIES_MAX {
        waiting.into_iter().for_each(|frame| pool.put(CAUSE, frame));
        waiting = pool.take(&CAUSE);
        assert_eq!(waiting.len(), 1);
    }
    waiting.into_iter().for_each(|frame| pool.put(CAUSE, frame));
    assert!(pool.take(&CAUSE).is_empty());
    assert_eq!(pool.bytes, 0);
}
