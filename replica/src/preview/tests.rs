use super::*;
use crate::identity::Identity;
use crate::testing::World;

/// A conversation of two, in which only the last entry of each chain has its signature.
fn talk(world: &mut World, messages: u8) -> Vec<Entry> {
    let admit = world.admit(0, 1);
    world.say(0, &admit);
    let said: Vec<Entry> = (0..messages).map(|n| world.message(n % 2, &format!("message {n}"))).collect();
    let last = |entry: &Entry| said.iter().rfind(|other| other.author() == entry.author()).map(Entry::id);
    let cut = |entry: &Entry| {
        let entry = entry.clone();
        if last(&entry) == Some(entry.id()) { entry } else { entry.without_signature() }
    };
    said.iter().map(cut).collect()
}

#[test]
fn what_a_signature_vouches_for_comes_through_in_order() {
    let mut world = World::new();
    let said = talk(&mut world, 40);
    assert_eq!(decode(&encode(&said), &world.room).unwrap(), said);
    assert_eq!(decode(&encode(&[]), &world.room).unwrap(), []);
}

#[test]
fn of_more_than_fits_the_newest_are_told() {
    let mut world = World::new();
    let said = talk(&mut world, 90);
    assert_eq!(decode(&encode(&said), &world.room).unwrap(), said[90 - PREVIEW_ENTRIES_MAX..]);
    let noise = |n: u32| {
        (0..16_000).filter_map(|at| char::from_u32(u32::from(b' ') + at * n % 90)).collect::<String>()
    };
    let long: Vec<Entry> = (7..17).map(|n| world.message(0, &noise(n))).collect();
    let ids = |entries: &[Entry]| entries.iter().map(Entry::id).collect::<Vec<_>>();
    let shown = decode(&encode(&long), &world.room).unwrap();
    assert_eq!(ids(&shown), ids(&long[6..]), "four of 16 kB fit");
}

#[test]
fn what_does_not_hash_up_to_a_signed_entry_is_not_shown() {
    let mut world = World::new();
    let said = talk(&mut world, 6);
    let unsigned: Vec<Entry> = said[..3].to_vec();
    assert_eq!(decode(&encode(&unsigned), &world.room).unwrap(), []);
    // Somebody else's words under her name, before hers.
    let mut record = said[2].record().clone();
    record.body = b"never said".to_vec();
    let forged = Entry::new(record, &world.room, None).unwrap();
    let mut mixed = said.clone();
    mixed[2] = forged;
    let shown = decode(&encode(&mixed), &world.room).unwrap();
    assert_eq!(shown, [said[1].clone(), said[3].clone(), said[4].clone(), said[5].clone()]);
    // Signed by another key.
    let stranger = Identity::from_secret(&[99; 32]);
    let signature = stranger.sign(crate::identity::Purpose::Entry(&said[5].id()));
    let stolen = Entry::new(said[5].record().clone(), &world.room, Some(signature)).unwrap();
    assert_eq!(decode(&encode(&[stolen]), &world.room).unwrap(), []);
}

#[test]
fn what_is_no_preview_is_refused() {
    let mut world = World::new();
    let room = world.room;
    let said = talk(&mut world, 4);
    assert_eq!(decode(b"no zstd", &room), Err(PreviewError));
    let pack = |plain: &[u8]| zstd::bulk::compress(plain, LEVEL).unwrap();
    let whole: Vec<u8> = said.iter().flat_map(part).collect();
    for length in 1..whole.len() {
        let is_between = said.iter().scan(0, |end, entry| {
            *end += part(entry).len();
            Some(*end)
        });
        if !is_between.into_iter().any(|end| end == length) {
            assert_eq!(decode(&pack(&whole[..length]), &room), Err(PreviewError), "{length} bytes");
        }
    }
    assert_eq!(decode(&pack(&vec![0; PREVIEW_BYTES_MAX + 1]), &room), Err(PreviewError));
    let one = part(&said[3]);
    assert!(decode(&pack(&one.repeat(PREVIEW_ENTRIES_MAX)), &room).is_ok());
    assert_eq!(decode(&pack(&one.repeat(PREVIEW_ENTRIES_MAX + 1)), &room), Err(PreviewError));
}

#[test]
fn a_signature_vouches_for_nobody_else_s_words() {
    let mut world = World::new();
    let said = talk(&mut world, 4);
    // Never said, under the name of who wrote said[2]; named by said[3]'s author as what comes before their own words.
    let put = |record: &Record| Entry::new(record.clone(), &world.room, None).unwrap();
    let record = |of: &Entry| Record { body: b"never said".to_vec(), ..of.record().clone() };
    let forged = put(&record(&said[2]));
    let liar = crate::testing::person(1);
    let mut named = said[3].record().clone();
    assert_eq!(named.chain.author, liar.key());
    named.previous = Some(forged.id());
    for seq in [named.seq, forged.record().seq + 1] {
        let named = Entry::sign(Record { seq, ..named.clone() }, &world.room, &liar).unwrap();
        assert_eq!(decode(&encode(&[forged.clone(), named.clone()]), &world.room).unwrap(), [named]);
    }
    // Nor for an entry that stands elsewhere in its own chain.
    let far = put(&Record { seq: said[3].record().seq + 5, ..record(&said[3]) });
    let mut named = said[3].record().clone();
    named.previous = Some(far.id());
    let named = Entry::sign(named, &world.room, &liar).unwrap();
    assert_eq!(decode(&encode(&[far, named.clone()]), &world.room).unwrap(), [named]);
}
