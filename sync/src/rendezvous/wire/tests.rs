use super::{Answer, MESSAGE_BYTES_MAX, Message, Refusal, Request, read_message, write_message};
use crate::limits::SIGHTING_BYTES;
use crate::rendezvous::{Cookie, Slot};
use crate::wire::Address;

fn requests() -> Vec<Request> {
    let sealed = vec![9; SIGHTING_BYTES];
    vec![
        Request::Announce { tag: [1; 20], slot: Slot([2; 16]), sealed },
        Request::Watch([1; 20]),
        Request::Call(Slot([2; 16])),
        Request::PickUp(Cookie([3; 16])),
    ]
}

fn answers() -> Vec<Answer> {
    let sealed = vec![9; SIGHTING_BYTES];
    let mut answers = vec![
        Answer::Seen(Address { ip: [1; 16], port: 7400 }),
        Answer::Record { tag: [1; 20], slot: Slot([2; 16]), sealed },
        Answer::Ring { slot: Slot([2; 16]), cookie: Cookie([3; 16]) },
        Answer::Joined(Address { ip: [4; 16], port: 7401 }),
    ];
    answers.extend(Refusal::ALL.map(Answer::No));
    answers
}

fn comes_back<M: Message + PartialEq + std::fmt::Debug>(messages: Vec<M>) {
    for message in messages {
        let bytes = message.encode();
        assert!(bytes.len() <= MESSAGE_BYTES_MAX);
        assert_eq!(M::decode(&bytes), Some(message));
        // A part of a message, or one with more behind it, is none.
        assert!((0..bytes.len()).all(|length| M::decode(&bytes[..length]).is_none()));
        assert!(M::decode(&[bytes.as_slice(), &[0]].concat()).is_none());
    }
}

#[test]
fn what_is_written_comes_back_and_nothing_else_is_read() {
    comes_back(requests());
    comes_back(answers());
}

#[tokio::test]
async fn messages_are_told_apart_in_a_stream_and_long_ones_refused_unread() {
    let (mut near, mut far) = tokio::io::duplex(64 * 1024);
    for request in requests() {
        write_message(&mut near, &request).await.unwrap();
    }
    for request in requests() {
        assert_eq!(read_message::<Request>(&mut far).await.unwrap(), request);
    }
    tokio::io::AsyncWriteExt::write_all(&mut near, &u16::MAX.to_be_bytes()).await.unwrap();
    let refused = read_message::<Request>(&mut far).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidData);
}
