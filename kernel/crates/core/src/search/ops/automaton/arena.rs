//! Regular expressions as shared nodes, matched by derivatives: the derivative of an expression by a character is the expression of
//! what may follow. Complement and intersection need nothing special, and only the states that terms lead to are ever made.

use rustc_hash::FxHashMap;

pub type NodeId = u32;

/// Members per node that alternatives may have on average.
const MEMBERS: usize = 16;

/// Matches nothing.
pub const EMPTY: NodeId = 0;
/// Matches the empty string.
pub const EPSILON: NodeId = 1;
/// Matches everything.
pub const ANYTHING: NodeId = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Node {
    Empty,
    Epsilon,
    /// One character of these ranges, sorted.
    Class(Vec<(u32, u32)>),
    Concat(NodeId, NodeId),
    Star(NodeId),
    Or(Vec<NodeId>),
    And(Vec<NodeId>),
    Not(NodeId),
}

/// Nodes, each structure once.
#[derive(Debug)]
pub struct Arena {
    nodes: Vec<Node>,
    nullable: Vec<bool>,
    ids: FxHashMap<Node, NodeId>,
    derivatives: FxHashMap<(NodeId, u32), NodeId>,
    limit: usize,
    /// Members of all nodes: few large alternatives cost as much as many small ones.
    size: usize,
    pub overflowed: bool,
}

impl Arena {
    /// At most about `limit` nodes.
    pub fn new(limit: usize) -> Self {
        let mut arena = Arena {
            nodes: Vec::new(),
            nullable: Vec::new(),
            ids: FxHashMap::default(),
            derivatives: FxHashMap::default(),
            limit,
            size: 0,
            overflowed: false,
        };
        arena.intern(Node::Empty);
        arena.intern(Node::Epsilon);
        arena.intern(Node::Not(EMPTY));
        arena
    }

    fn intern(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.ids.get(&node) {
            return *id;
        }
        if let Node::Or(items) | Node::And(items) = &node {
            self.size += items.len();
        }
        if self.nodes.len() > self.limit || self.size > self.limit.saturating_mul(MEMBERS) {
            self.overflowed = true;
            return EMPTY;
        }
        let nullable = match &node {
            Node::Empty | Node::Class(_) => false,
            Node::Epsilon | Node::Star(_) => true,
            Node::Concat(a, b) => self.nullable(*a) && self.nullable(*b),
            Node::Or(items) => items.iter().any(|id| self.nullable(*id)),
            Node::And(items) => items.iter().all(|id| self.nullable(*id)),
            Node::Not(inner) => !self.nullable(*inner),
        };
        let id = self.nodes.len() as NodeId;
        self.nodes.push(node.clone());
        self.nullable.push(nullable);
        self.ids.insert(node, id);
        id
    }

    pub fn nullable(&self, id: NodeId) -> bool {
        self.nullable[id as usize]
    }

    pub fn class(&mut self, mut ranges: Vec<(u32, u32)>) -> NodeId {
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        if merged.is_empty() { EMPTY } else { self.intern(Node::Class(merged)) }
    }

    /// Any one character.
    pub fn any_char(&mut self) -> NodeId {
        self.class(vec![(0, char::MAX as u32)])
    }

    pub fn character(&mut self, c: char, case_insensitive: bool) -> NodeId {
        let mut ranges = vec![(c as u32, c as u32)];
        if case_insensitive && c.is_ascii_alphabetic() {
            let other = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            ranges.push((other as u32, other as u32));
        }
        self.class(ranges)
    }

    pub fn concat(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if a == EMPTY || b == EMPTY {
            return EMPTY;
        }
        if a == EPSILON {
            return b;
        }
        if b == EPSILON {
            return a;
        }
        let mut firsts = Vec::new();
        let mut last = a;
        while let Node::Concat(first, rest) = self.nodes[last as usize] {
            firsts.push(first);
            last = rest;
        }
        let tail = self.intern(Node::Concat(last, b));
        firsts.into_iter().rev().fold(
            tail,
            |rest, first| {
                if rest == EMPTY { EMPTY } else { self.intern(Node::Concat(first, rest)) }
            },
        )
    }

    pub fn sequence(&mut self, items: &[NodeId]) -> NodeId {
        items.iter().rev().fold(EPSILON, |rest, item| self.concat(*item, rest))
    }

    pub fn star(&mut self, inner: NodeId) -> NodeId {
        if inner == EMPTY || inner == EPSILON {
            return EPSILON;
        }
        match &self.nodes[inner as usize] {
            Node::Star(_) => inner,
            Node::Class(ranges) if ranges.as_slice() == [(0, char::MAX as u32)] => ANYTHING,
            _ if inner == ANYTHING => ANYTHING,
            _ => self.intern(Node::Star(inner)),
        }
    }

    /// From `low` to `high` times; without end if None.
    pub fn repeat(&mut self, inner: NodeId, low: usize, high: Option<usize>) -> NodeId {
        match inner {
            _ if high == Some(0) => return EPSILON,
            EPSILON | ANYTHING => return inner,
            EMPTY => return if low == 0 { EPSILON } else { EMPTY },
            _ => {}
        }
        let (inner, low) = if self.nullable(inner) { (self.without_epsilon(inner), 0) } else { (inner, low) };
        let mut tail = match high {
            None => self.star(inner),
            Some(high) => {
                let mut tail = EPSILON;
                for _ in low..high {
                    let more = self.concat(inner, tail);
                    tail = self.or(vec![EPSILON, more]);
                    if self.overflowed {
                        return EMPTY;
                    }
                }
                tail
            }
        };
        for _ in 0..low {
            tail = self.concat(inner, tail);
            if self.overflowed {
                return EMPTY;
            }
        }
        tail
    }

    /// What may be empty may be left out instead where it repeats: then no two ways through a repetition lead to the same.
    fn without_epsilon(&mut self, id: NodeId) -> NodeId {
        match self.nodes[id as usize].clone() {
            Node::Or(mut items) if items.contains(&EPSILON) => {
                items.retain(|item| *item != EPSILON);
                self.or(items)
            }
            _ => id,
        }
    }

    pub fn or(&mut self, items: Vec<NodeId>) -> NodeId {
        let mut flat = Vec::with_capacity(items.len());
        for item in items {
            match &self.nodes[item as usize] {
                Node::Or(inner) => flat.extend_from_slice(inner),
                _ => flat.push(item),
            }
        }
        flat.retain(|id| *id != EMPTY);
        flat.sort_unstable();
        flat.dedup();
        if flat.contains(&ANYTHING) {
            return ANYTHING;
        }
        match flat.as_slice() {
            [] => EMPTY,
            [only] => *only,
            _ => self.intern(Node::Or(flat)),
        }
    }

    pub fn and(&mut self, items: Vec<NodeId>) -> NodeId {
        let mut flat = Vec::with_capacity(items.len());
        for item in items {
            match &self.nodes[item as usize] {
                Node::And(inner) => flat.extend_from_slice(inner),
                _ => flat.push(item),
            }
        }
        flat.retain(|id| *id != ANYTHING);
        flat.sort_unstable();
        flat.dedup();
        if flat.contains(&EMPTY) {
            return EMPTY;
        }
        match flat.as_slice() {
            [] => ANYTHING,
            [only] => *only,
            _ => self.intern(Node::And(flat)),
        }
    }

    pub fn not(&mut self, inner: NodeId) -> NodeId {
        match self.nodes[inner as usize] {
            Node::Not(double) => double,
            _ => self.intern(Node::Not(inner)),
        }
    }

    /// Of a sequence: the first part takes the character, or is skipped where it may be empty. A loop, as there may be thousands.
    fn sequence_derivative(&mut self, id: NodeId, c: u32) -> NodeId {
        let mut ways = Vec::new();
        let mut at = id;
        while let Node::Concat(a, b) = self.nodes[at as usize] {
            let first = self.derivative(a, c);
            ways.push(self.concat(first, b));
            if !self.nullable(a) || self.overflowed {
                return self.or(ways);
            }
            at = b;
        }
        ways.push(self.derivative(at, c));
        self.or(ways)
    }

    /// What may follow a character.
    pub fn derivative(&mut self, id: NodeId, c: u32) -> NodeId {
        if id == EMPTY || id == EPSILON {
            return EMPTY;
        }
        if id == ANYTHING {
            return ANYTHING;
        }
        if let Some(known) = self.derivatives.get(&(id, c)) {
            return *known;
        }
        let result = match self.nodes[id as usize].clone() {
            Node::Empty | Node::Epsilon => EMPTY,
            Node::Class(ranges) => {
                let at = ranges.partition_point(|(_, high)| *high < c);
                if ranges.get(at).is_some_and(|(low, _)| *low <= c) { EPSILON } else { EMPTY }
            }
            Node::Concat(..) => self.sequence_derivative(id, c),
            Node::Star(inner) => {
                let first = self.derivative(inner, c);
                self.concat(first, id)
            }
            Node::Or(items) => {
                let items = items.into_iter().map(|item| self.derivative(item, c)).collect();
                self.or(items)
            }
            Node::And(items) => {
                let items = items.into_iter().map(|item| self.derivative(item, c)).collect();
                self.and(items)
            }
            Node::Not(inner) => {
                let inner = self.derivative(inner, c);
                self.not(inner)
            }
        };
        self.derivatives.insert((id, c), result);
        result
    }
}
