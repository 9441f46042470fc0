use super::*;

/// Commits in batches, with upkeep, and sometimes ends and begins again between.
fn replica_of(world: &World, log: &[Entry], dice: &mut Dice) -> Replica {
    let mut replica = Replica::new(world);
    let mut rest = log;
    while !rest.is_empty() {
        let (entries, later) = rest.split_at((1 + dice.below(6)).min(rest.len()));
        replica.commit(entries).unwrap();
        rest = later;
        match dice.below(6) {
            0 => drop(replica.archive.maintain(3, true).unwrap()),
            1 => while replica.archive.maintain(100, true).unwrap() {},
            2 => replica = replica.reopen(),
            3 => replica = Replica::open(replica.store.crash(), world.room).unwrap(),
            _ => {}
        }
    }
    replica
}

#[test]
fn replicas_that_agree_have_documents_with_equal_heads_whatever_came_first() {
    let mut forked = 0;
    for seed in 0..25 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 4, 60, true);
        forked += usize::from(!world.graph.forked().is_empty());
        let mut one = replica_of(&world, &world.log, &mut dice);
        let mut other = replica_of(&world, &world.shuffled(&mut dice), &mut dice);
        let (verified, again) = (one.archive.verify().unwrap(), other.archive.verify().unwrap());
        // How many signatures there are to check depends on the blocks.
        assert_eq!(again, Verification { signatures: again.signatures, ..verified });
        assert_eq!(
            one.archive.document_heads().unwrap(),
            other.archive.document_heads().unwrap(),
            "seed {seed}"
        );
        assert_eq!(one.page(), rows(&world, &world.log), "seed {seed}");
        assert_eq!(other.page(), one.page(), "seed {seed}");
        check_exports(&world, &one.archive.export().unwrap(), &other.archive.export().unwrap());
    }
    assert!(forked > 15);
}

/// That stock Automerge reads the conversation from an export, newest first, and finds nothing new in the other's.
fn check_exports(world: &World, one: &[u8], other: &[u8]) {
    let mut mine = Automerge::load(one).unwrap();
    let mut theirs = Automerge::load(other).unwrap();
    let heads = |document: &Automerge| {
        let mut heads = document.get_heads();
        heads.sort_unstable();
        heads
    };
    let texts: Vec<String> =
        mine.keys(ROOT).map(|key| mine.get(ROOT, key).unwrap().unwrap().0.into_string().unwrap()).collect();
    let keys: Vec<String> = mine.keys(ROOT).collect();
    assert!(keys.is_sorted());
    let expected = rows(world, &world.log);
    assert!(
        keys.iter().eq(&expected.iter().map(|(key, _)| KeyPrefix::from(key).to_name()).collect::<Vec<_>>())
    );
    assert_eq!(texts, expected.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
    let before = heads(&mine);
    assert_eq!(heads(&theirs), before);
    assert!(mine.get_changes_added(&theirs).is_empty());
    mine.merge(&mut theirs).unwrap();
    assert_eq!(heads(&mine), before);
    assert_eq!(mine.stats().num_changes, world.log.len() as u64);
}

/// A history in which a message and what follows it are moved by a twin that comes last.
fn late_lower_twin() -> (World, Vec<Entry>, Entry) {
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let base = world.log[1].clone();
    for n in 0..300 {
        world.message(u8::from(n % 3 == 0), &format!("message {n}"));
    }
    let before = world.log.clone();
    let heir = before[2..].iter().find(|entry| entry.record().previous == Some(base.id())).unwrap().id();
    let twin = (0..)
        .map(|n| world.write(0, Some(&base), &[], &Body::Message(format!("twin {n}"))))
        .find(|twin| twin.id() < heir)
        .unwrap();
    world.put(&twin);
    (world, before, twin)
}

#[test]
fn a_late_lower_twin_has_the_documents_built_again() {
    let (world, before, twin) = late_lower_twin();
    let mut early = Replica::new(&world);
    let mut log = before.clone();
    log.insert(2, twin.clone());
    early.commit(&log).unwrap();
    let expected = early.archive.document_heads().unwrap();

    let mut late = Replica::new(&world);
    late.commit(&before).unwrap();
    while late.archive.maintain(100, true).unwrap() {}
    assert_ne!(late.archive.document_heads().unwrap(), expected);
    let mut late = late.reopen();
    let batch = late.batch(std::slice::from_ref(&twin));
    assert!(batch.relined.from.is_some());
    let mut calm = Replica::open(late.store.crash(), world.room).unwrap();
    let opened = calm.store.calls();
    calm.archive.commit(&batch).unwrap();
    let commits = calm.store.calls() - opened;
    assert!(commits > 2);
    // Whatever fails while it becomes durable, no document stays as it was.
    for call in 1..=commits {
        let mut replica = Replica::open(late.store.crash(), world.room).unwrap();
        replica.store.fail_call(call);
        assert!(replica.archive.commit(&batch).is_err());
        let mut replica = Replica::open(replica.store.crash(), world.room).unwrap();
        if replica.graph.position(&twin.id()).is_none() {
            replica.commit(std::slice::from_ref(&twin)).unwrap();
        }
        assert_eq!(replica.archive.document_heads().unwrap(), expected, "call {call}");
    }
    late.archive.commit(&batch).unwrap();
    assert_eq!(late.archive.document_heads().unwrap(), expected);
    late.archive.verify().unwrap();
    let mut late = late.reopen();
    assert_eq!(late.archive.document_heads().unwrap(), expected);
    assert_eq!(late.archive.verify().unwrap().digest, early.archive.verify().unwrap().digest);
    check_exports(&world, &late.archive.export().unwrap(), &early.archive.export().unwrap());
}
