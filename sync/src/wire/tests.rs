use data_encoding::HEXLOWER;
use replica::id::RoomId;
use replica::limits::BLOCK_BYTES_MAX;

use super::*;
use crate::limits::{FRAME_BYTES_MAX, LOCATOR_IDS_PER_FRAME_MAX, TIPS_PER_FRAME_MAX};

/// Expects that a frame is exactly these bytes, written as hex of its parts, in both directions, and nothing like them.
fn check(frame: &Frame, parts: &[&str]) {
    let bytes = HEXLOWER.decode(parts.concat().as_bytes()).unwrap();
    assert_eq!(HEXLOWER.encode(&encode(frame)), HEXLOWER.encode(&bytes));
    assert_eq!(decode(&bytes).as_ref(), Ok(frame));
    for end in 0..bytes.len() {
        assert_eq!(decode(&bytes[..end]), Err(DecodeError::Short), "{end} of {} bytes", bytes.len());
    }
    assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::LeftOver));
}

/// One byte, as hex, many times.
fn of(byte: &str, times: usize) -> String {
    byte.repeat(times)
}

fn tip() -> Tip {
    let chain = ChainId { author: AuthorKey([0xaa; 32]), incarnation: 0x0102_0304_0506_0708 };
    Tip { chain, seq: 251, id: EntryId([0xbb; 32]), signature: Signature([0xcc; 64]) }
}

fn record() -> AddressRecord {
    let addresses = vec![
        Address::from("192.0.2.7:7400".parse::<SocketAddr>().unwrap()),
        Address::from("[2001:db8::1]:250".parse::<SocketAddr>().unwrap()),
    ];
    let signature = Signature([0xcc; 64]);
    AddressRecord {
        author: AuthorKey([0xaa; 32]),
        store: StoreId([1; 16]),
        expires_ms: 1 << 40,
        addresses,
        signature,
    }
}

fn seen() -> SeenRecord {
    SeenRecord {
        author: AuthorKey([0xaa; 32]),
        store: StoreId([1; 16]),
        number: 1 << 40,
        heads: vec![EntryId([0xbb; 32]), EntryId([0xdd; 32])],
        signature: Signature([0xcc; 64]),
    }
}

#[test]
fn the_bytes_of_hello_and_ping_are_for_ever() {
    let hello =
        Hello { protocol: 1, store: StoreId([0x11; 16]), digest: Digest([0x22; 32]), entries: 1 << 33 };
    check(&Frame::Hello(hello), &["0101", "01", &of("11", 16), &of("22", 32), "fd0000000200000000"]);
    check(&Frame::Ping(Ping { digest: Digest([0x22; 32]), at_rest: true }), &["010b", &of("22", 32), "01"]);
}

#[test]
fn the_bytes_of_have_want_and_locate_are_for_ever() {
    check(
        &Frame::Have(Have { tips: vec![tip()], last: false }),
        &["0102", "01", &of("aa", 32), "0102030405060708", "fb00fb", &of("bb", 32), &of("cc", 64), "00"],
    );
    let whole = WantChain { tip: EntryId([0xaa; 32]), from: Vec::new() };
    let rest = WantChain { tip: EntryId([0xbb; 32]), from: vec![EntryId([1; 32]), EntryId([2; 32])] };
    check(
        &Frame::Want(Want { chains: vec![whole, rest], last: true }),
        &["0103", "02", &of("aa", 32), "00", &of("bb", 32), "02", &of("01", 32), &of("02", 32), "01"],
    );
    check(
        &Frame::Locate(Locate { tips: vec![EntryId([3; 32]), EntryId([4; 32])] }),
        &["0104", "02", &of("03", 32), &of("04", 32)],
    );
}

#[test]
fn the_bytes_of_what_carries_entries_are_for_ever() {
    check(&Frame::Preview(vec![1, 2, 3]), &["0105", "03", "010203"]);
    check(
        &Frame::Data(Data { block: vec![9; 251], remaining: 80_000 }),
        &["0106", "fb00fb", &of("09", 251), "fc00013880"],
    );
    check(&Frame::Live(Vec::new()), &["0107", "00"]);
    check(&Frame::Ack(Ack { frames: 250 }), &["0108", "fa"]);
    check(&Frame::Credit(Credit { bytes: 524_288 }), &["0109", "fc00080000"]);
}

#[test]
fn the_bytes_of_peers_and_bye_are_for_ever() {
    let mapped = "00000000000000000000ffffc0000207";
    let plain = "20010db8000000000000000000000001";
    check(
        &Frame::Peers(Peers { records: vec![record()] }),
        &[
            &["010a", "01", &of("aa", 32), &of("01", 16), "fd0000010000000000", "02"].concat(),
            &[mapped, "fb1ce8", plain, "fa", &of("cc", 64)].concat(),
        ],
    );
    check(&Frame::Bye(Bye::new(ByeReason::NotMember, "été")), &["010c", "04", "05", "c3a974c3a9"]);
    check(&Frame::Bye(Bye::new(ByeReason::Unknown(999), "")), &["010c", "fb03e7", "00"]);
}

#[test]
fn the_bytes_of_seen_are_for_ever() {
    let fields = [&of("aa", 32), &of("01", 16), "fd0000010000000000", "02", &of("bb", 32), &of("dd", 32)];
    check(
        &Frame::Seen(Seen { mark: 0, records: vec![seen()] }),
        &["010d", "00", "01", &fields.concat(), &of("cc", 64)],
    );
    check(&Frame::Seen(Seen { mark: 1 << 56, records: Vec::new() }), &["010d", "fd0100000000000000", "00"]);
}

#[test]
fn the_bytes_of_what_comes_before_membership_are_for_ever() {
    let (nonce, heard) = (KnockNonce([0xaa; 16]), vec![KnockNonce([0xbb; 16])]);
    let knock = Knock { nick: "ann".to_owned(), alone: true, nonce, heard };
    check(&Frame::Knock(knock), &["0110", "03", "616e6e", "01", &"aa".repeat(16), "01", &"bb".repeat(16)]);
    check(&Frame::Ticket("replica1".to_owned()), &["0111", "08", "7265706c69636131"]);
    let offer = Yield { author: AuthorKey([0xaa; 32]), signature: Signature([0xcc; 64]) };
    check(&Frame::Yield(offer), &["0112", &of("aa", 32), &of("cc", 64)]);
}

/// Expects that these bytes are refused for this reason.
fn refused(hex: &str, reason: DecodeError) {
    let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
    assert_eq!(decode(&bytes), Err(reason), "{hex}");
}

#[test]
fn what_is_no_frame_of_this_version_is_refused_with_the_reason() {
    refused("0201", DecodeError::Version(2));
    refused("0100", DecodeError::Kind(0));
    refused("01ff", DecodeError::Kind(255));
    refused("01100161ff00", DecodeError::Malformed);
    refused("011001ff0000", DecodeError::Malformed);
    assert_eq!(decode(&vec![1; FRAME_BYTES_MAX + 1]), Err(DecodeError::OverLimit));
}

#[test]
fn a_count_that_nothing_follows_is_refused_and_allocates_nothing() {
    let counts = ["fd4000000000000000", "fdffffffffffffffff", "feffffffffffffffffffffffffffffffff"];
    for kind in ["02", "03", "04", "05", "06", "07", "0a", "0c01", "0d00", "10", "11"] {
        refused(&["01", kind, counts[0]].concat(), DecodeError::OverLimit);
        refused(&["01", kind, counts[1]].concat(), DecodeError::OverLimit);
        refused(&["01", kind, counts[2]].concat(), DecodeError::Malformed);
    }
    let tip = "aa".repeat(32);
    refused(&["0103", "01", &tip, counts[0]].concat(), DecodeError::OverLimit);
    // Within the limits of its kind, but not there.
    refused("0102fb0190", DecodeError::Short);
    refused("0105fbffdf", DecodeError::Short);
}

#[test]
fn one_more_than_a_limit_is_refused_and_the_limit_is_not() {
    let within =
        Frame::Have(Have { tips: vec![Tip { seq: u32::MAX, ..tip() }; TIPS_PER_FRAME_MAX], last: true });
    let mut bytes = encode(&within);
    assert!(bytes.len() <= FRAME_BYTES_MAX);
    assert_eq!(decode(&bytes).as_ref(), Ok(&within));
    assert_eq!(bytes[2..5], [251, 0x01, 0x90]);
    bytes[4] += 1;
    assert_eq!(decode(&bytes), Err(DecodeError::OverLimit));

    refused(&["0111fb0801", &"61".repeat(2_049)].concat(), DecodeError::OverLimit);
    refused(&["011081", &"61".repeat(129), "0000"].concat(), DecodeError::OverLimit);
    refused(&["010c01fb0101", &"61".repeat(257)].concat(), DecodeError::OverLimit);
    refused(&["010a41"].concat(), DecodeError::OverLimit);
    refused(&["010a01", &"aa".repeat(32), &"01".repeat(16), "0011"].concat(), DecodeError::OverLimit);
    refused("010d0041", DecodeError::OverLimit);
    refused(&["010d0001", &"aa".repeat(32), &"01".repeat(16), "0011"].concat(), DecodeError::OverLimit);
}

#[test]
fn the_fullest_frames_fit_what_a_channel_carries() {
    let full = [
        Frame::Data(Data { block: vec![1; BLOCK_BYTES_MAX], remaining: u64::MAX }),
        Frame::Preview(vec![1; BLOCK_BYTES_MAX]),
        Frame::Live(vec![1; BLOCK_BYTES_MAX]),
        Frame::Want(Want {
            chains: (0..400)
                .map(|_| WantChain {
                    tip: EntryId([1; 32]),
                    from: vec![EntryId([2; 32]); LOCATOR_IDS_PER_FRAME_MAX / 400],
                })
                .collect(),
            last: true,
        }),
        Frame::Locate(Locate { tips: vec![EntryId([1; 32]); 400] }),
        Frame::Peers(Peers {
            records: vec![AddressRecord { addresses: vec![record().addresses[0]; 5], ..record() }; 64],
        }),
        Frame::Seen(Seen {
            mark: u64::MAX,
            records: vec![SeenRecord { heads: vec![EntryId([2; 32]); 16], ..seen() }; 64],
        }),
    ];
    for frame in full {
        let bytes = encode(&frame);
        assert!(bytes.len() <= FRAME_BYTES_MAX, "{} bytes", bytes.len());
        assert_eq!(decode(&bytes), Ok(frame));
    }
}

#[test]
fn an_integer_longer_than_it_need_be_is_read_all_the_same() {
    assert_eq!(decode(&[1, 8, 251, 0, 5]), Ok(Frame::Ack(Ack { frames: 5 })));
}

#[test]
fn random_and_mutated_bytes_never_panic() {
    let seed = 0x5eed_0001_u64;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    let frames = [
        encode(&Frame::Have(Have { tips: vec![tip(); 3], last: true })),
        encode(&Frame::Peers(Peers { records: vec![record(); 2] })),
        encode(&Frame::Seen(Seen { mark: 7, records: vec![seen(); 2] })),
        encode(&Frame::Want(Want {
            chains: vec![WantChain { tip: tip().id, from: vec![tip().id; 3] }],
            last: true,
        })),
        encode(&Frame::Bye(Bye::new(ByeReason::Protocol, "something else was expected"))),
    ];
    let mut accepted = 0;
    for round in 0..200_000_usize {
        let mut bytes = frames[round % frames.len()].clone();
        if round % 5 == 0 {
            bytes = (0..random.below(80)).map(|_| random.byte()).collect();
            bytes.splice(..0, [1, random.byte() % 20]);
        }
        for _ in 0..random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = random.byte();
        }
        bytes.truncate(bytes.len() - random.below(2));
        if let Ok(frame) = decode(&bytes) {
            accepted += 1;
            assert_eq!(decode(&encode(&frame)), Ok(frame), "round {round}");
        }
    }
    assert!(accepted > 1_000, "only {accepted} were frames");
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

#[test]
fn reasons_keep_their_numbers_known_or_not() {
    for number in 0..100 {
        assert_eq!(ByeReason::from_number(number).number(), number);
    }
    assert_eq!(ByeReason::StoreFailed.number(), 15);
    assert_eq!(ByeReason::EnoughLinks.number(), 16);
    assert_eq!(ByeReason::Renewed.number(), 19);
    assert_eq!(ByeReason::from_number(999), ByeReason::Unknown(999));
}

#[test]
fn a_byes_text_is_cut_between_characters() {
    let bye = Bye::new(ByeReason::Leaving, &["a", &"é".repeat(200)].concat());
    assert_eq!(bye.text.len(), 255);
    assert_eq!(decode(&encode(&Frame::Bye(bye.clone()))), Ok(Frame::Bye(bye)));
}

#[test]
fn an_address_record_is_its_authors_word_for_word() {
    let identity = Identity::from_secret(&[5; 32]);
    let record = AddressRecord::signed(&identity, StoreId([1; 16]), 1_000, record().addresses);
    assert!(record.is_authentic());
    assert!(!AddressRecord { expires_ms: 1_001, ..record.clone() }.is_authentic());
    assert!(!AddressRecord { store: StoreId([2; 16]), ..record.clone() }.is_authentic());
    assert!(!AddressRecord { addresses: record.addresses[..1].to_vec(), ..record.clone() }.is_authentic());
    assert!(!AddressRecord { author: AuthorKey([0; 32]), ..record }.is_authentic());
}

#[test]
fn a_seen_record_is_its_authors_word_for_word_in_one_room() {
    let (identity, room) = (Identity::from_secret(&[5; 32]), RoomId([7; 32]));
    let record = SeenRecord::signed(&identity, &room, StoreId([1; 16]), 1_000, seen().heads);
    assert!(record.is_authentic(&room));
    assert!(!record.is_authentic(&RoomId([8; 32])));
    for other in [
        SeenRecord { number: 1_001, ..record.clone() },
        SeenRecord { store: StoreId([2; 16]), ..record.clone() },
        SeenRecord { heads: record.heads[..1].to_vec(), ..record.clone() },
        SeenRecord { heads: Vec::new(), ..record.clone() },
        SeenRecord { author: AuthorKey([0; 32]), ..record.clone() },
    ] {
        assert!(!other.is_authentic(&room), "{other:?}");
    }
}

#[test]
fn the_signature_of_a_seen_record_never_changes() {
    let (identity, room) = (Identity::from_secret(&[1; 32]), RoomId([7; 32]));
    let record = SeenRecord::signed(&identity, &room, StoreId([1; 16]), 1_000, seen().heads);
    let signature = HEXLOWER.encode(&record.signature.0);
    let first = "fa5c25c6d9a6a8f55583b454d0001010d42b7090a99e516141bd22d9fc815d6d";
    let second = "4091784d8965be89dbddc4ff52c5f83434feb9070ada50703f6e5d32d78c0306";
    assert_eq!(signature, [first, second].concat());
}

#[test]
fn an_address_is_the_same_after_its_way() {
    for text in ["192.0.2.7:7400", "[2001:db8::1]:1", "127.0.0.1:65535"] {
        let address: SocketAddr = text.parse().unwrap();
        assert_eq!(SocketAddr::from(Address::from(address)), address);
    }
    let mapped: SocketAddr = "[::ffff:192.0.2.7]:7400".parse().unwrap();
    assert_eq!(SocketAddr::from(Address::from(mapped)).to_string(), "192.0.2.7:7400");
}
