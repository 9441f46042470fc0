//! What an earlier version wrote, under `tests/fixtures`: every later one reads it, and so does the second reader.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use replica::id::{AuthorKey, ChainId, Digest, EntryId, StoreId};
use replica::identity::{Identity, Signature};
use replica_sync::ticket::Ticket;
use replica_sync::wire::{
    self, Ack, Address, AddressRecord, Bye, ByeReason, Credit, Data, Frame, Have, Hello, Knock, KnockNonce,
    Locate, Peers, Ping, Tip, Want, WantChain, Yield,
};
use serde_json::Value;

use crate::program::{Home, json, repository};
use crate::second_reader::bytes::{hex, unhex};
use crate::second_reader::conversation::Conversation;
use crate::second_reader::{Known, bundle, frame, ticket};

fn folder() -> PathBuf {
    repository().join("tests/fixtures/v1")
}

fn bundle_file() -> Vec<u8> {
    fs::read(folder().join("bundle")).unwrap()
}

/// What the log was when the fixtures were made.
fn log() -> Vec<Value> {
    fs::read_to_string(folder().join("log.json")).unwrap().lines().map(json).collect()
}

/// Without what depends on who reads.
fn timeless(rows: &str) -> Vec<Value> {
    let strip = |line: &str| {
        let mut row = json(line);
        row.as_object_mut().unwrap().retain(|field, _| field != "late" && field != "at");
        row
    };
    rows.lines().map(strip).collect()
}

/// A copy of the home, which had been elsewhere.
fn copy_home() -> (Home, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    copy(&folder().join("home"), &home);
    // Version control does not keep who may read it.
    fs::set_permissions(home.join("identity"), fs::Permissions::from_mode(0o600)).unwrap();
    (Home::at(home, "ann"), place)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.extension().is_some_and(|extension| extension == "zst") {
            let bytes = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
            fs::write(target.with_extension(""), bytes).unwrap();
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn the_second_reader_finds_in_the_bundle_what_the_log_said() {
    let conversation = Conversation::of_bundle(&bundle_file()).unwrap();
    let (rows, log) = (conversation.in_order(), log());
    assert_eq!(rows.len(), log.len());
    for (((era, time, count), entry), row) in rows.into_iter().zip(&log) {
        assert_eq!(hex(&entry.id), row["id"]);
        assert_eq!(hex(entry.author()), row["author"]);
        assert_eq!(format!("{era:08x}{time:012x}{count:08x}"), row["order"]);
        let mut parents: Vec<String> = entry.parents().map(|id| hex(id)).collect();
        parents.sort_unstable();
        assert_eq!(parents, serde_json::from_value::<Vec<String>>(row["deps"].clone()).unwrap());
        let said = String::from_utf8_lossy(&entry.body);
        match entry.kind {
            0 => assert_eq!(
                format!("made the room {}", String::from_utf8_lossy(&entry.body[4..])),
                row["text"]
            ),
            4 => assert_eq!(format!("is called {said}"), row["text"]),
            5 => assert_eq!(said, row["text"].as_str().unwrap()),
            _ => assert_eq!(row["type"], "event"),
        }
    }
    let digest = fs::read_to_string(folder().join("digest")).unwrap();
    assert_eq!(hex(&conversation.digest()), digest.trim());
}

#[test]
fn the_second_reader_refuses_a_bundle_with_one_altered_byte() {
    let whole = bundle_file();
    for at in (0..whole.len()).step_by(101) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        assert!(Conversation::of_bundle(&altered).is_err(), "byte {at}");
    }
}

#[test]
fn a_home_of_every_version_opens_and_goes_on_under_a_new_chain() {
    let (ann, _place) = copy_home();
    let before = fs::read_to_string(folder().join("log.json")).unwrap();
    assert_eq!(timeless(&ann.ok(&["--offline", "--json", "log", "--all"])), timeless(&before));
    let verified = json(fs::read_to_string(folder().join("verify.json")).unwrap().trim());
    assert_eq!(ann.verify(), verified);

    // A copy of a home writes no second life of its chain.
    ann.send("from elsewhere");
    let file = ann.path().with_file_name("bundle");
    ann.ok(&["--offline", "export", "--format", "bundle", file.to_str().unwrap()]);
    let chains = |file: &[u8]| -> BTreeSet<[u8; 40]> {
        Conversation::of_bundle(file).unwrap().entries.values().map(|entry| entry.chain).collect()
    };
    assert_eq!(chains(&fs::read(file).unwrap()).len(), chains(&bundle_file()).len() + 1);
    assert_eq!(ann.texts().last().unwrap(), "from elsewhere");
}

#[test]
fn a_bundle_of_every_version_is_taken_in() {
    let dave = Home::new("dave");
    let tickets = fs::read_to_string(folder().join("tickets.json")).unwrap();
    let ticket = json(tickets.lines().next().unwrap())["ticket"].clone();
    dave.ok(&["--offline", "join", ticket.as_str().unwrap()]);
    dave.ok(&["--offline", "import", folder().join("bundle").to_str().unwrap()]);
    let before = fs::read_to_string(folder().join("log.json")).unwrap();
    assert_eq!(timeless(&dave.ok(&["--offline", "--json", "log", "--all"])), timeless(&before));
}

#[test]
fn tickets_of_every_version_are_read_by_both_readers() {
    let entries = Conversation::of_bundle(&bundle_file()).unwrap().entries;
    let invites: BTreeSet<AuthorKey> = entries
        .values()
        .filter(|entry| entry.kind == 1)
        .map(|entry| AuthorKey(entry.body[..32].try_into().unwrap()))
        .collect();
    let tickets = fs::read_to_string(folder().join("tickets.json")).unwrap();
    assert!(tickets.lines().count() >= 3);
    for line in tickets.lines().map(json) {
        let text = line["ticket"].as_str().unwrap();
        let (ours, theirs) = (text.parse::<Ticket>().unwrap(), ticket::read(text).unwrap());
        assert_eq!(hex(&theirs.room), line["room"]);
        assert_eq!(hex(&theirs.secret), line["secret"]);
        assert_eq!((ours.room.0, ours.secret), (theirs.room, theirs.secret));
        assert_eq!((ours.invite, ours.addresses), (theirs.invite, theirs.addresses));
        assert!(invites.contains(&Identity::from_secret(&ours.invite.unwrap()).key()));
        // One by hand: capitals, over several lines.
        let copied = text.to_uppercase().replace('A', "A\n ");
        assert_eq!(ticket::read(&copied).unwrap().secret, ours.secret);
        assert_eq!(copied.parse::<Ticket>().unwrap().secret, ours.secret);
        let mut typo = text.to_owned();
        typo.replace_range(8..9, if text[8..].starts_with('a') { "b" } else { "a" });
        assert!(ticket::read(&typo).is_err() && typo.parse::<Ticket>().is_err());
    }
}

/// One of each kind; those that carry entries carry the fixture's.
fn frames() -> Vec<Frame> {
    let file = bundle_file();
    let (_, blocks) = bundle::read(&file).unwrap();
    let block = |at: usize| blocks[at].to_vec();
    let (chain, id) =
        (ChainId { author: AuthorKey([0xaa; 32]), incarnation: 258 }, |byte| EntryId([byte; 32]));
    let (store, signature) = (StoreId([0x11; 16]), Signature([0xcc; 64]));
    let digest = Digest([0x22; 32]);
    let addresses = ["192.0.2.7:7400", "[2001:db8::1]:250"]
        .map(|it: &str| Address::from(it.parse::<std::net::SocketAddr>().unwrap()));
    let ann = Identity::from_secret(&[1; 32]);
    let preview = {
        let first = replica::block::decode(blocks[0], &room(), &Known(&[])).unwrap();
        replica::preview::encode(&first)
    };
    vec![
        Frame::Hello(Hello { protocol: 1, store, digest, entries: 1 << 33 }),
        Frame::Have(Have { tips: vec![Tip { chain, seq: 251, id: id(0xbb), signature }], last: false }),
        Frame::Want(Want {
            chains: vec![
                WantChain { tip: id(1), from: vec![] },
                WantChain { tip: id(2), from: vec![id(3), id(4)] },
            ],
            last: true,
        }),
        Frame::Locate(Locate { tips: vec![id(5), id(6)] }),
        Frame::Preview(preview),
        Frame::Data(Data { block: block(0), remaining: 80_000 }),
        Frame::Live(block(1)),
        Frame::Ack(Ack { frames: 250 }),
        Frame::Credit(Credit { bytes: 524_288 }),
        Frame::Peers(Peers { records: vec![AddressRecord::signed(&ann, store, 1 << 41, addresses.into())] }),
        Frame::Ping(Ping { digest, at_rest: true }),
        Frame::Bye(Bye { reason: ByeReason::NotMember, text: "été".to_owned() }),
        Frame::Bye(Bye { reason: ByeReason::Unknown(60_000), text: String::new() }),
        Frame::Knock(Knock {
            nick: "ann".to_owned(),
            alone: true,
            nonce: KnockNonce([0xaa; 16]),
            heard: vec![KnockNonce([0xbb; 16])],
        }),
        Frame::Ticket("replica1a1".to_owned()),
        Frame::Yield(Yield { author: AuthorKey([0xaa; 32]), signature }),
    ]
}

fn room() -> replica::id::RoomId {
    replica::id::RoomId(bundle::read(&bundle_file()).unwrap().0)
}

#[test]
fn frames_of_every_version_say_what_is_written_beside_them() {
    let mut conversation = Conversation::new(room().0);
    let frames = frames();
    // `REPLICA_FIXTURES=1 cargo test frames_of_every` writes them: for a new version of the formats, never for an old.
    let path = folder().join("frames.txt");
    if std::env::var_os("REPLICA_FIXTURES").is_some() && !path.exists() {
        let mut conversation = Conversation::new(room().0);
        let lines = frames.iter().map(|frame| {
            let bytes = wire::encode(frame);
            format!("{} {}\n", hex(&bytes), frame::describe(&bytes, &mut conversation).unwrap())
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), frames.len());
    for (line, frame) in text.lines().zip(frames) {
        let (bytes, words) = line.split_once(' ').unwrap();
        let bytes = unhex(bytes);
        assert_eq!(frame::describe(&bytes, &mut conversation).unwrap(), words);
        assert_eq!(wire::decode(&bytes).unwrap(), frame, "{words}");
    }
}
