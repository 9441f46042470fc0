use super::*;

fn sign(purpose: Purpose<'_>) -> (AuthorKey, Signature) {
    let identity = Identity::from_secret(&[7; 32]);
    (identity.key(), identity.sign(purpose))
}

/// The order of ed25519's group, little-endian: a signature's S is below it.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_signature_with_the_group_order_added_is_refused() {
    let id = EntryId([3; 32]);
    let (key, signature) = sign(Purpose::Entry(&id));
    assert!(verify(&key, Purpose::Entry(&id), &signature));
    let mut other = signature;
    let mut carry = 0;
    for (byte, add) in other.0[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert!(!verify(&key, Purpose::Entry(&id), &other));
}

/// The points of small order, in every encoding that decompresses: canonical, with y not reduced, with the sign of zero.
fn weak_keys() -> Vec<AuthorKey> {
    let high = |low: u8, top: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, top);
        bytes
    };
    let low = |first: u8, top: u8| {
        let mut bytes = [0; 32];
        (bytes[0], bytes[31]) = (first, top);
        bytes
    };
    let order_eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let eight: AuthorKey = order_eight.parse().unwrap();
    let mut negative = eight;
    negative.0[31] |= 0x80;
    let mut keys = vec![eight, negative];
    let encodings =
        [low(1, 0), low(0, 0), low(0, 0x80), high(0xec, 0x7f), high(0xed, 0x7f), high(0xee, 0x7f)];
    keys.extend(encodings.map(AuthorKey));
    keys
}

#[test]
fn a_weak_key_is_nobody_and_vouches_for_nothing() {
    // With A and R the neutral element and S = 0 the equation S·B = R + k·A holds for every message.
    let mut neutral = [0; 64];
    neutral[0] = 1;
    let lax = |key: &AuthorKey| {
        use ed25519_dalek::Verifier as _;
        let key = VerifyingKey::from_bytes(&key.0).unwrap();
        key.verify(b"anything", &ed25519_dalek::Signature::from_bytes(&neutral)).is_ok()
    };
    let mut one = [0; 32];
    one[0] = 1;
    assert!(lax(&AuthorKey(one)), "this is what strictness is for");
    for key in weak_keys() {
        assert!(!is_sound(&key), "{key:?}");
        assert!(!verify(&key, Purpose::Addresses(b"anything"), &Signature(neutral)), "{key:?}");
    }
}

#[test]
fn bytes_that_are_no_point_are_nobody() {
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    let key = AuthorKey(off_curve);
    assert!(VerifyingKey::from_bytes(&key.0).is_err());
    assert!(!is_sound(&key));
    assert!(!verify(&key, Purpose::Entry(&EntryId([0; 32])), &Signature([0; 64])));
    assert!(is_sound(&Identity::from_secret(&[7; 32]).key()));
}

#[test]
fn a_signature_of_one_purpose_is_none_of_another() {
    let (id, room, key, channel) = (EntryId([1; 32]), RoomId([1; 32]), AuthorKey([1; 32]), [1; 32]);
    let purposes = [
        Purpose::Entry(&id),
        Purpose::Card { room: &room, key: &key },
        Purpose::Invite { room: &room, key: &key, channel: &channel },
        Purpose::Channel { initiator: true, channel: &channel, noise_key: &channel },
        Purpose::Channel { initiator: false, channel: &channel, noise_key: &channel },
        Purpose::Addresses(&[1; 32]),
        Purpose::Addresses(&[1; 64]),
        Purpose::Addresses(b""),
        Purpose::Seen { room: &room, record: &[1; 32] },
        Purpose::Seen { room: &room, record: b"" },
    ];
    for (made, one) in purposes.iter().enumerate() {
        let (key, signature) = sign(*one);
        for (shown, other) in purposes.iter().enumerate() {
            assert_eq!(verify(&key, *other, &signature), made == shown, "{one:?} shown as {other:?}");
        }
    }
}

#[test]
fn a_signature_is_about_every_field_and_one_key() {
    let (room, key, channel) = (RoomId([1; 32]), AuthorKey([2; 32]), [3; 32]);
    let (signer, signature) = sign(Purpose::Invite { room: &room, key: &key, channel: &channel });
    let check = |room: &RoomId, key: &AuthorKey, channel: &[u8; 32]| {
        verify(&signer, Purpose::Invite { room, key, channel }, &signature)
    };
    assert!(check(&room, &key, &channel));
    assert!(!check(&RoomId([9; 32]), &key, &channel));
    assert!(!check(&room, &AuthorKey([9; 32]), &channel));
    assert!(!check(&room, &key, &[9; 32]));
    let other = Identity::from_secret(&[8; 32]).key();
    assert!(!verify(&other, Purpose::Invite { room: &room, key: &key, channel: &channel }, &signature));
    for bit in 0..512 {
        let mut flipped = signature;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        let purpose = Purpose::Invite { room: &room, key: &key, channel: &channel };
        assert!(!verify(&signer, purpose, &flipped), "bit {bit}");
    }
}

#[test]
fn keys_signatures_and_words_of_a_secret_never_change() {
    let identity = Identity::from_secret(&[7; 32]);
    assert_eq!(identity.secret(), [7; 32]);
    assert_eq!(
        identity.key().to_string(),
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
    );
    assert_eq!(words(&identity.key()), "cover small pencil glide soldier wash");
    assert_eq!(words(&AuthorKey([0; 32])), "famous elbow exercise dawn refuse this");
    let signature = identity.sign(Purpose::Entry(&EntryId([3; 32])));
    let expected = "afec95194327473c47fe31f1cec7ebd0cbc711225f3356e83ae76a3d17325b6d\
                    c9f13c76ca33a75b09c812f9ab991f8f19852d118e5890a476ab0aec6e10af01";
    assert_eq!(data_encoding::HEXLOWER.encode(&signature.0), expected);
    let (one, two, three) = (r"\x01".repeat(32), r"\x02".repeat(32), r"\x03".repeat(32));
    let (room, key) = (RoomId([1; 32]), AuthorKey([2; 32]));
    let channel = Purpose::Channel { initiator: true, channel: &[1; 32], noise_key: &[2; 32] };
    let purposes = [
        (Purpose::Entry(&EntryId([1; 32])), format!(r"replica/1/entry-signature\x00{one}")),
        (Purpose::Card { room: &room, key: &key }, format!(r"replica/1/card\x00{one}{two}")),
        (
            Purpose::Invite { room: &room, key: &key, channel: &[3; 32] },
            format!(r"replica/1/invite\x00{one}{two}{three}"),
        ),
        (channel, format!(r"replica/1/channel\x00\x01{one}{two}")),
        (Purpose::Addresses(b"abc"), r"replica/1/addresses\x00abc".to_owned()),
    ];
    for (purpose, expected) in purposes {
        assert_eq!(purpose.to_bytes().escape_ascii().to_string(), expected);
    }
}
