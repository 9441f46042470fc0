use super::*;

/// Writes a history in batches of one to three entries, with upkeep between, and closes. Says how many entries were
/// acknowledged, and whether that was all.
fn run(store: &MemoryStore, world: &World) -> (usize, bool) {
    let Ok(mut replica) = Replica::open(store.clone(), world.room) else { return (0, false) };
    let mut acknowledged = replica.graph.len() as usize;
    let mut dice = Dice(7);
    let log = &world.log[acknowledged..];
    let mut rest = log;
    while !rest.is_empty() {
        let (entries, later) = rest.split_at((1 + dice.below(3)).min(rest.len()));
        if replica.commit(entries).is_err() {
            return (acknowledged, false);
        }
        acknowledged += entries.len();
        rest = later;
        if dice.one_in(3) && replica.archive.maintain(2, true).is_err() {
            return (acknowledged, false);
        }
    }
    let closed = replica.archive.close().is_ok();
    (acknowledged, closed)
}

fn check_left(store: MemoryStore, world: &World, acknowledged: usize, what: &str) {
    let mut replica = Replica::open(store, world.room).unwrap();
    let there = replica.graph.len() as usize;
    assert!(there >= acknowledged, "{what}: {there} of {acknowledged} acknowledged entries are there");
    assert!(there <= acknowledged + 3, "{what}: at most the batch that failed is there beside");
    let expected = rows(world, &world.log[..there]);
    assert_eq!(replica.page(), expected, "{what}");
    replica.archive.verify().unwrap();
    // And it can go on.
    let (all, done) = run(&replica.store, world);
    assert!(done && all == world.log.len(), "{what}");
}

#[test]
fn whichever_call_of_the_store_fails_what_was_acknowledged_is_there_and_nothing_half() {
    let world = World::random(&mut Dice(5), 3, 24, true);
    let calm = MemoryStore::new();
    assert_eq!(run(&calm, &world), (world.log.len(), true));
    assert!(calm.calls() > 50);
    let mut partial = 0;
    for call in 1..=calm.calls() {
        let store = MemoryStore::new();
        store.fail_call(call);
        let (acknowledged, done) = run(&store, &world);
        assert!(!done, "call {call} did not fail");
        partial += usize::from(acknowledged > 0 && acknowledged < world.log.len());
        check_left(store.crash(), &world, acknowledged, &format!("power cut after call {call}"));
        check_left(store.kill(), &world, acknowledged, &format!("killed after call {call}"));
    }
    assert!(partial > 20);
}

#[test]
fn a_store_that_failed_takes_no_more() {
    let mut world = World::new();
    let mut replica = Replica::new(&world);
    replica.commit(&world.log).unwrap();
    let lost = world.message(0, "lost");
    let next = world.message(0, "next");
    replica.store.fail_call(1);
    assert!(replica.commit(&[lost]).is_err());
    assert!(matches!(replica.commit(&[next]), Err(StoreError::Failed)));
    assert_eq!(Replica::open(replica.store.crash(), world.room).unwrap().graph.len(), 1);
}

/// Whether an acknowledged entry is there after a power cut.
fn survives(loses_syncs: bool) -> bool {
    let mut world = World::new();
    let mut replica = Replica::new(&world);
    replica.commit(&world.log).unwrap();
    let entry = world.message(0, "acknowledged");
    replica.store.lose_syncs(loses_syncs);
    replica.commit(std::slice::from_ref(&entry)).unwrap();
    assert!(replica.graph.position(&entry.id()).is_some());
    let after = Replica::open(replica.store.crash(), world.room).unwrap();
    after.graph.position(&entry.id()).is_some()
}

#[test]
fn an_acknowledged_entry_survives_a_power_cut_unless_syncs_are_lost() {
    assert!(survives(false));
    assert!(!survives(true), "this test would not notice a store that does not sync");
}

/// Puts a row with one bit flipped in its place.
fn flip(store: &MemoryStore, key: &[u8], bit: usize) {
    let mut store = store.clone();
    let mut value = store.get(key).unwrap().unwrap();
    value[bit / 8] ^= 1 << (bit % 8);
    store.commit(&[Write::Put { key: key.to_vec(), value }]).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_in_the_log_is_found() {
    let world = World::random(&mut Dice(6), 3, 30, false);
    let mut replica = Replica::new(&world);
    // One block that fits its index row, and one in parts.
    let mut long = World::new();
    let mut dice = Dice(1);
    for _ in 0..20 {
        let text: String = (0..40).map(|_| format!("{:x}", dice.next())).collect();
        long.message(0, &text);
    }
    replica.commit(&world.log).unwrap();
    let mut large = Replica::new(&long);
    large.commit(&long.log).unwrap();
    assert!(large.store.scan(b"b").count() > 0, "there is no block in parts");
    let mut flipped = 0;
    for (replica, world) in [(&replica, &world), (&large, &long)] {
        for letter in [b"b", b"i", b"t"] {
            for row in replica.store.scan(letter) {
                let (key, value) = row.unwrap();
                for _ in 0..12 {
                    // While it is open, and before it is opened.
                    let mut open = Replica::open(replica.store.crash(), world.room).unwrap();
                    open.archive.verify().unwrap();
                    let bit = dice.below(value.len() * 8);
                    flip(&open.store, &key, bit);
                    assert!(matches!(open.archive.verify(), Err(VerifyError::Store(StoreError::Damaged(_)))));
                    let refused = Replica::open(open.store.crash(), world.room);
                    assert!(matches!(refused, Err(StoreError::Damaged(_))));
                    flipped += 1;
                }
            }
        }
    }
    assert!(flipped > 50);
}

#[test]
fn a_flipped_bit_in_names_or_drafts_is_found() {
    let world = World::new();
    let mut replica = Replica::new(&world);
    let draft = Draft { written_ms: 5, text: "not sent yet".to_owned() };
    let batch = Batch { drafts: vec![(0, draft)], home_drafts_taken: Some(3), ..Batch::default() };
    replica.archive.commit(&batch).unwrap();
    assert_eq!(replica.store.scan(b"m").count(), 3);
    for row in replica.store.scan(b"m") {
        let (key, value) = row.unwrap();
        for bit in 0..value.len() * 8 {
            let store = replica.store.crash();
            flip(&store, &key, bit);
            let opened = Replica::open(store, world.room);
            assert!(matches!(opened, Err(StoreError::Damaged(_))), "bit {bit} of {}", key.escape_ascii());
        }
    }
}

#[test]
fn verify_finds_what_the_rows_checksums_cannot() {
    let mut world = World::new();
    world.message(0, "one");
    world.message(0, "two");
    let check = |spoil: &dyn Fn(&mut Batch, &Graph)| {
        let mut replica = Replica::new(&world);
        replica.commit(&world.log[..1]).unwrap();
        let mut batch = replica.batch(&world.log[1..2]);
        spoil(&mut batch, &replica.graph);
        replica.archive.commit(&batch).unwrap();
        replica.archive.verify()
    };
    assert!(check(&|_, _| {}).is_ok_and(|verified| verified.entries == 2 && verified.signatures == 2));
    let unsigned = world.log[1].clone().without_signature();
    let verified = check(&|batch, graph| {
        batch.blocks[0].bytes = block::encode(std::slice::from_ref(&unsigned), true, graph).unwrap();
    });
    assert!(matches!(verified, Err(VerifyError::Signature(1))));
    let verified = check(&|batch, _| batch.blocks[0].rows[0].key.clock.time_ms += 1);
    assert!(matches!(verified, Err(VerifyError::Order(1))));
    // An entry that does not belong: refused when the log is opened.
    let mut replica = Replica::new(&world);
    replica.commit(&world.log[..1]).unwrap();
    let stranger = world.write(1, None, &[&world.log[0].clone()], &Body::Leave);
    let bytes = block::encode(&[stranger], true, &replica.graph).unwrap();
    let rows = vec![NewRow { key: world.graph.key(1), run: Run::Chain(chain(1, 1)) }];
    replica.archive.commit(&Batch { blocks: vec![NewBlock { bytes, rows }], ..Batch::default() }).unwrap();
    assert!(matches!(replica.archive.verify(), Err(VerifyError::Invalid(1))));
    let opened = Replica::open(replica.store.crash(), world.room);
    assert!(matches!(opened, Err(StoreError::Damaged(Damage::Log))));
    assert!(matches!(Replica::open(replica.store.crash(), RoomId([1; 32])), Err(StoreError::Damaged(_))));
}

#[test]
fn a_damaged_document_is_built_again_from_the_log() {
    let world = World::random(&mut Dice(6), 3, 30, true);
    let mut replica = Replica::new(&world);
    replica.commit(&world.log).unwrap();
    while replica.archive.maintain(100, true).unwrap() {}
    let expected = replica.archive.document_heads().unwrap();
    let replica = replica.reopen();
    let rows: Vec<Vec<u8>> = [b"d", b"p"]
        .iter()
        .flat_map(|letter| replica.store.scan(*letter))
        .map(|row| row.unwrap().0)
        .collect();
    assert!(rows.len() > 1, "no document was saved");
    for key in rows {
        let store = replica.store.crash();
        flip(&store, &key, 77);
        let mut opened = Replica::open(store, world.room).unwrap();
        assert_eq!(opened.page(), super::rows(&world, &world.log));
        assert_eq!(opened.archive.document_heads().unwrap(), expected);
        opened.archive.verify().unwrap();
    }
}
