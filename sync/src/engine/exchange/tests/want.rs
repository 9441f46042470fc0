//! What a peer asks for.

use super::*;
use crate::wire::WantChain;

/// What is sent to bob when he asks for these, the last of them or not.
fn ask(bench: &mut Bench, chains: &[(EntryId, &[EntryId])], last: bool) -> Vec<Output> {
    let chains = chains.iter().map(|(tip, from)| WantChain { tip: *tip, from: from.to_vec() });
    bench.frame(2, Frame::Want(Want { chains: chains.collect(), last }))
}

/// Ann's log, with bob there who has none of it: the ids by position, of ann's chain alone.
fn lacking() -> (Bench, Vec<EntryId>) {
    let mut bench = bench();
    for number in 0..3 {
        bench.command(Command::Say(number.to_string()));
    }
    bench.connect(2, &person(2));
    let graph = bench.engine.conversation().graph();
    let ids = (0..graph.durable()).map(|at| graph.id(at)).collect();
    (bench, ids)
}

fn located(outputs: &[Output]) -> Vec<Vec<EntryId>> {
    let located = sent(outputs).into_iter().filter_map(|(_, frame)| match frame {
        Frame::Locate(locate) => Some(locate.tips.clone()),
        _ => None,
    });
    located.collect()
}

/// How many entries are said to follow in each DATA.
fn data(outputs: &[Output]) -> Vec<u64> {
    let data = sent(outputs).into_iter().filter_map(|(_, frame)| match frame {
        Frame::Data(data) => Some(data.remaining),
        _ => None,
    });
    data.collect()
}

const UNKNOWN: EntryId = EntryId([99; 32]);

#[test]
fn what_is_asked_for_is_read_once_the_request_ends() {
    let (mut bench, ids) = lacking();
    let tip = *ids.last().unwrap();
    assert_eq!(reads(&ask(&mut bench, &[(tip, &ids[..1])], false)), []);
    let all: Vec<Position> = (1..).take(ids.len() - 1).collect();
    assert_eq!(reads(&ask(&mut bench, &[], true)), [(2, &all[..])]);
}

#[test]
fn who_has_none_of_a_chain_gets_all_of_it() {
    let (mut bench, ids) = lacking();
    let tip = *ids.last().unwrap();
    let all: Vec<Position> = (0..).take(ids.len()).collect();
    assert_eq!(reads(&ask(&mut bench, &[(tip, &[]), (tip, &ids[..1])], true)), [(2, &all[..])], "each once");
    // Nothing of its locator is known.
    let (mut bench, _) = lacking();
    let outputs = ask(&mut bench, &[(tip, &[UNKNOWN, UNKNOWN])], true);
    assert_eq!((located(&outputs), reads(&outputs)), (vec![], vec![(2, &all[..])]));
}

#[test]
fn who_goes_on_from_what_is_not_here_is_asked_back_and_answers_within_the_request() {
    let (mut bench, ids) = lacking();
    let tip = *ids.last().unwrap();
    let outputs = ask(&mut bench, &[(tip, &[UNKNOWN])], true);
    assert_eq!((located(&outputs), reads(&outputs), data(&outputs)), (vec![vec![tip]], vec![], vec![]));
    let outputs = ask(&mut bench, &[(tip, &[UNKNOWN, ids[1]])], true);
    let rest: Vec<Position> = (2..).take(ids.len() - 2).collect();
    assert_eq!((located(&outputs), reads(&outputs)), (vec![], vec![(2, &rest[..])]));
}

#[test]
fn who_asks_for_what_is_not_here_or_for_nothing_new_hears_that_there_is_nothing() {
    let (mut bench, ids) = lacking();
    let tip = *ids.last().unwrap();
    for chains in [&[(UNKNOWN, &[UNKNOWN][..])][..], &[(UNKNOWN, &[])], &[(tip, &[tip])]] {
        let outputs = ask(&mut bench, chains, true);
        assert_eq!((located(&outputs), data(&outputs)), (vec![], vec![0]), "{chains:?}");
    }
    assert_eq!(data(&ask(&mut bench, &[], true)), [0; 0], "who asks for nothing waits for nothing");
    assert_eq!(data(&ask(&mut bench, &[(tip, &[tip])], false)), [0; 0], "its request goes on");
    assert_eq!(data(&ask(&mut bench, &[], true)), [0]);
    // Nor where something is on its way already.
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().outgoing.is_reading = true;
    assert_eq!(data(&ask(&mut bench, &[(tip, &ids[..1])], true)), [0; 0]);
    assert_eq!(data(&ask(&mut bench, &[(tip, &[tip])], true)), [0; 0]);
}

#[test]
fn who_is_not_served_gets_nothing() {
    let (mut bench, ids) = lacking();
    bench.connect(4, &person(4));
    let tip = *ids.last().unwrap();
    for from in [Vec::new(), vec![UNKNOWN], vec![tip]] {
        let want = Want { chains: vec![WantChain { tip, from }], last: true };
        let outputs = bench.frame(4, Frame::Want(want));
        assert_eq!((sent(&outputs), reads(&outputs)), (vec![], vec![]));
    }
}

#[test]
fn for_each_answer_the_next_tips_are_told() {
    let (mut bench, _) = lacking();
    let tip = bench.engine.conversation().graph().tips_since(0).next().unwrap();
    let rest = 2 * TIPS_PER_FRAME_MAX + 5;
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().untold = vec![tip; rest].into();
    let tell = |bench: &mut Bench, last| {
        let outputs = ask(bench, &[], last);
        haves(&outputs).into_iter().map(|(_, tips, last)| (tips.len(), last)).collect::<Vec<_>>()
    };
    assert_eq!(tell(&mut bench, false), [(TIPS_PER_FRAME_MAX, false)]);
    assert_eq!(tell(&mut bench, true), [], "that was an answer to something else");
    assert_eq!(tell(&mut bench, false), [(TIPS_PER_FRAME_MAX, false)]);
    assert_eq!(tell(&mut bench, false), [(5, true)]);
    assert_eq!(tell(&mut bench, false), []);
}

#[test]
fn a_request_goes_into_as_many_frames_as_its_chains_and_ids_need() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let mut request = |chains: usize, ids: usize| {
        let wanted = Wanted { tip: UNKNOWN, from: vec![UNKNOWN; ids], count: 1 };
        bench.engine.send_wants(ConnectionId(2), vec![wanted; chains], true);
        let mut frames = Vec::new();
        while let Output::Send(_, Frame::Want(want)) = bench.engine.poll_output() {
            let ids: usize = want.chains.iter().map(|chain| chain.from.len()).sum();
            frames.push((want.chains.len(), ids, want.last));
        }
        frames
    };
    assert_eq!(request(0, 0), [(0, 0, true)]);
    assert_eq!(request(WANTS_PER_FRAME_MAX, 0), [(WANTS_PER_FRAME_MAX, 0, true)]);
    assert_eq!(request(WANTS_PER_FRAME_MAX + 1, 1), [(400, 400, false), (1, 1, true)]);
    assert_eq!(request(50, 32), [(50, LOCATOR_IDS_PER_FRAME_MAX, true)]);
    assert_eq!(request(110, 32), [(50, 1_600, false), (50, 1_600, false), (10, 320, true)]);
    assert_eq!(request(48, 100), [(47, 47 * LOCATOR_IDS_MAX, false), (1, LOCATOR_IDS_MAX, true)]);
}

#[test]
fn who_lacks_what_we_go_on_from_gets_a_choice() {
    let mut bench = spoken();
    let more = bench.written(&person(2), "more");
    let told = signed(of(2, 9), 7, UNKNOWN, 2);
    let here: Vec<EntryId> = {
        bench.hear(2, &[more]);
        let graph = bench.engine.conversation().graph();
        (0..graph.len()).filter(|at| graph.chain(*at) == of(2, 9)).map(|at| graph.id(at)).collect()
    };
    let outputs = bench.frame(2, have(vec![told]));
    let asked = |outputs: &[Output]| {
        let chains = wants(outputs).into_iter().flat_map(|(_, want)| want.chains.clone());
        chains.map(|chain| (chain.tip, chain.from)).collect::<Vec<_>>()
    };
    assert_eq!(asked(&outputs), [(UNKNOWN, vec![here[1]])]);
    let locate = |bench: &mut Bench, tip| bench.frame(2, Frame::Locate(Locate { tips: vec![tip] }));
    assert_eq!(asked(&locate(&mut bench, UNKNOWN)), [(UNKNOWN, vec![here[1], here[0]])]);
    assert_eq!(asked(&locate(&mut bench, here[0])), [], "that was not asked for");
    // Where there is no more than one, it is named twice: that says it is a locator.
    let mut bench = spoken();
    bench.frame(2, have(vec![told]));
    assert_eq!(asked(&locate(&mut bench, UNKNOWN)), [(UNKNOWN, vec![here[0]; 2])]);
}

#[test]
fn who_asks_for_nothing_and_confirms_nothing_is_sent_away() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let all = bench.last();
    let mut asks = 0;
    loop {
        let outputs = ask(&mut bench, &[(all, &[all])], true);
        if let [(2, reason)] = closed(&outputs)[..] {
            assert_eq!(reason, Some(ByeReason::Protocol));
            break;
        }
        asks += 1;
    }
    assert_eq!(asks, crate::limits::OPEN_FRAMES_MAX);
}
