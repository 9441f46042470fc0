use crate::id::Position;
use crate::testing::World;

#[test]
fn every_id_is_found_however_many_there_are_and_none_that_was_taken_back() {
    let mut world = World::new();
    (1..500).for_each(|number| _ = world.message(0, &number.to_string()));
    let World { log, mut graph, .. } = world;
    for kept in [500, 200, 150, 0, 500] {
        graph.truncate(kept.min(graph.len()));
        log[graph.len() as usize..kept as usize].iter().for_each(|entry| _ = graph.admit(entry).unwrap());
        for (entry, at) in log.iter().zip(0..) {
            let expected: Option<Position> = (at < kept).then_some(at);
            assert_eq!(graph.position(&entry.id()), expected);
        }
    }
}
