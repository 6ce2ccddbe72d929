//! The code added to a function, which bounds its time and its fuel and changes no result of a call that ends
//! within both.
//!
//! A check is `if interrupt goto trap; if fuel < 0 goto trap`. Checks stand at the entry of the function, at each loop
//! header, after each call of an import and before each operator whose work depends on an operand (`memory.fill` and
//! its kin), so that a call passes one after a bounded amount of work. They branch to one trap at the function's end,
//! so that nothing is jumped over on the good path:
//!
//! ```text
//! block $trap; block $body (result as the function's)
//!   check; …the body; a branch to the function's own label meets $body, at the same depth…
//! end; return; end; trap
//! ```
//!
//! wasmer raises some traps on the guest's stack, in Rust code that allocates and takes locks: `unreachable`, and bulk
//! and table operators out of bounds. A guest that does so with its stack nearly used up leaves those locks locked, and
//! the next backtrace anywhere in the process waits for ever. So the bounds are checked before such an operator, and
//! what traps is a division by zero, which the processor reports on a stack of its own; `reason` says what it stands for.

use super::middleware::Module;
use std::sync::Arc;
use wasmer::sys::MiddlewareReaderState;
use wasmer::sys::wasmparser::{BlockType, Operator, ValType};

/// Values of the `reason` global. The guest reached `unreachable`.
pub(super) const UNREACHABLE: i32 = 1;
/// An operator would have left the memory or its segment.
pub(super) const MEMORY: i32 = 2;
/// An operator would have left the table or its segment.
pub(super) const TABLE: i32 = 3;
/// A check failed: fuel if it is negative, else the deadline.
pub(super) const CHECK: i32 = 4;

/// Bytes of a memory operator that cost one unit of fuel, as a power of two.
const BYTES: i64 = 6;
/// Elements of a table operator that cost one unit of fuel, as a power of two.
const ELEMENTS: i64 = 3;
/// A page, as a power of two.
const PAGE: i64 = 16;

/// Globals that hold an operator's operands while they are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scratch {
    pub(super) start: u32,
    pub(super) second: u32,
    pub(super) length: u32,
    pub(super) function: u32,
    pub(super) external: u32,
}

/// The state of one function's instrumentation.
#[derive(Debug)]
pub(super) struct Checks {
    module: Arc<Module>,
    around: Option<BlockType>,
    /// Blocks of the body that are open.
    depth: u32,
    /// Fuel of the operators since the last charge.
    cost: i64,
    entered: bool,
}

/// What an operand points into, and so how large that is.
enum Space {
    Memory(u32),
    Table(u32),
    /// The global that holds a passive segment's length; `None` for a segment that is not passive, which has none.
    Segment(Option<u32>),
}

/// An operator that would trap on the guest's stack: its operands, which are all taken off the stack and put back, and
/// the ranges they name. The first operand is the start of the first range.
struct Risky {
    /// The second operand, if there is one, and the range it starts if it starts one.
    second: Option<(u32, Option<Space>)>,
    /// Fuel for the length, as a power of two; `None` when the length is no operand but 1.
    length: Option<i64>,
    space: Space,
    reason: i32,
}

fn get<'a>(global_index: u32) -> Operator<'a> {
    Operator::GlobalGet { global_index }
}

fn set<'a>(global_index: u32) -> Operator<'a> {
    Operator::GlobalSet { global_index }
}

fn i32<'a>(value: i32) -> Operator<'a> {
    Operator::I32Const { value }
}

fn i64<'a>(value: i64) -> Operator<'a> {
    Operator::I64Const { value }
}

type Out<'a> = MiddlewareReaderState<'a>;

impl Checks {
    /// For a function around whose body a block of this type can stand.
    pub(super) fn new(module: Arc<Module>, around: Option<BlockType>) -> Self {
        // As on wasmtime, a call costs one even if the function is empty.
        Self { module, around, depth: 0, cost: 1, entered: false }
    }

    /// Gives out the operator with what is added to it.
    pub(super) fn feed<'a>(&mut self, operator: Operator<'a>, out: &mut Out<'a>) {
        if !self.entered {
            self.entered = true;
            self.enter(out);
        }
        self.cost = self.cost.saturating_add(cost(&operator));
        if ends_block(&operator) {
            self.charge(out);
        }
        match operator {
            Operator::Block { .. } | Operator::If { .. } | Operator::Loop { .. } => self.open(operator, out),
            Operator::End => self.close(operator, out),
            Operator::Unreachable => {
                out.extend([i32(UNREACHABLE), set(self.module.reason)]);
                trap(out);
            }
            Operator::TableGrow { table } => self.grow(table, out),
            Operator::Call { function_index } if function_index < self.module.imported_functions => {
                out.push_operator(operator);
                self.check(out);
            }
            other => {
                if let Some(risky) = self.risky(&other) {
                    self.guard(&risky, out);
                }
                self.dropped(&other, out);
                out.push_operator(other);
            }
        }
    }

    fn enter(&mut self, out: &mut Out<'_>) {
        if let Some(blockty) = self.around {
            out.extend([Operator::Block { blockty: BlockType::Empty }, Operator::Block { blockty }]);
        }
        self.charge(out);
        self.check(out);
    }

    fn open<'a>(&mut self, operator: Operator<'a>, out: &mut Out<'a>) {
        let header = matches!(operator, Operator::Loop { .. });
        self.depth = self.depth.saturating_add(1);
        out.push_operator(operator);
        if header {
            // Between two loads of one global without a store to any, Cranelift takes the first for both: a loop that
            // stores nothing would look at `interrupt` once and never again.
            out.extend([i32(0), set(self.module.scratch.length)]);
            self.check(out);
        }
    }

    fn close<'a>(&mut self, end: Operator<'a>, out: &mut Out<'a>) {
        if self.depth == 0 && self.around.is_some() {
            out.extend([Operator::End, Operator::Return, Operator::End]);
            self.failed(out);
        }
        self.depth = self.depth.saturating_sub(1);
        out.push_operator(end);
    }

    /// Where failed checks and bounds meet: the bounds have said why already.
    fn failed(&self, out: &mut Out<'_>) {
        let reason = self.module.reason;
        out.extend([
            get(reason),
            Operator::I32Eqz,
            Operator::If { blockty: BlockType::Empty },
            i32(CHECK),
            set(reason),
            Operator::End,
        ]);
        trap(out);
    }

    fn trap_if(&self, out: &mut Out<'_>) {
        if self.around.is_some() {
            out.push_operator(Operator::BrIf { relative_depth: self.depth.saturating_add(1) });
            return;
        }
        out.push_operator(Operator::If { blockty: BlockType::Empty });
        self.failed(out);
        out.push_operator(Operator::End);
    }

    fn check(&self, out: &mut Out<'_>) {
        out.push_operator(get(self.module.interrupt));
        self.trap_if(out);
        if let Some(fuel) = self.module.fuel {
            out.extend([get(fuel), i64(0), Operator::I64LtS]);
            self.trap_if(out);
        }
    }

    fn charge(&mut self, out: &mut Out<'_>) {
        let value = std::mem::take(&mut self.cost);
        if let (Some(fuel), 1..) = (self.module.fuel, value) {
            out.extend([get(fuel), i64(value), Operator::I64Sub, set(fuel)]);
        }
    }

    /// Where a reference of this table's type can be kept.
    fn reference(&self, table: u32) -> u32 {
        let index = usize::try_from(table).ok();
        let external = index.and_then(|index| self.module.external.get(index)).copied().unwrap_or(false);
        if external { self.module.scratch.external } else { self.module.scratch.function }
    }

    /// Grows a table if all tables together have room: wasmer asks nobody.
    fn grow(&self, table: u32, out: &mut Out<'_>) {
        let Scratch { second: before, length, .. } = self.module.scratch;
        let (room, reference) = (self.module.room, self.reference(table));
        let word = BlockType::Type(ValType::I32);
        out.extend([set(length), set(reference), get(length), get(room), Operator::I32GtU]);
        out.extend([Operator::If { blockty: word }, i32(-1), Operator::Else, get(reference), get(length)]);
        out.extend([Operator::TableGrow { table }, set(before), get(before), i32(-1), Operator::I32Ne]);
        out.push_operator(Operator::If { blockty: BlockType::Empty });
        out.extend([get(room), get(length), Operator::I32Sub, set(room), Operator::End]);
        out.extend([get(before), Operator::End]);
    }

    fn risky(&self, operator: &Operator<'_>) -> Option<Risky> {
        let scratch = self.module.scratch;
        let word = |space| Some((scratch.second, Some(space)));
        let memory =
            |mem, second| Risky { second, length: Some(BYTES), space: Space::Memory(mem), reason: MEMORY };
        let table =
            |table, second, length| Risky { second, length, space: Space::Table(table), reason: TABLE };
        Some(match *operator {
            Operator::MemoryFill { mem } => memory(mem, Some((scratch.second, None))),
            Operator::MemoryCopy { dst_mem, src_mem } => memory(dst_mem, word(Space::Memory(src_mem))),
            Operator::MemoryInit { data_index, mem } => {
                memory(mem, word(Space::Segment(self.module.data.get(&data_index).copied())))
            }
            Operator::TableFill { table: t } => table(t, Some((self.reference(t), None)), Some(ELEMENTS)),
            Operator::TableCopy { dst_table, src_table } => {
                table(dst_table, word(Space::Table(src_table)), Some(ELEMENTS))
            }
            Operator::TableInit { elem_index, table: t } => {
                let segment = Space::Segment(self.module.elements.get(&elem_index).copied());
                table(t, word(segment), Some(ELEMENTS))
            }
            Operator::TableSet { table: t } => table(t, Some((self.reference(t), None)), None),
            Operator::TableGet { table: t } => table(t, None, None),
            _ => return None,
        })
    }

    /// Charges for the length, checks, and traps unless the ranges are within bounds; the operands are left as they were.
    fn guard(&mut self, risky: &Risky, out: &mut Out<'_>) {
        let Scratch { start, length, .. } = self.module.scratch;
        let second = risky.second.as_ref().map(|(global, _)| *global);
        let operands = [Some(start), second, risky.length.map(|_| length)];
        out.extend(operands.iter().rev().flatten().map(|global| set(*global)));
        if let Some(shift) = risky.length {
            self.charge(out);
            self.charge_length(shift, out);
            self.check(out);
        }
        out.extend([i32(risky.reason), set(self.module.reason)]);
        self.bound(start, &risky.space, risky.length.is_some(), out);
        if let Some((global, Some(space))) = &risky.second {
            self.bound(*global, space, risky.length.is_some(), out);
        }
        out.extend([i32(0), set(self.module.reason)]);
        out.extend(operands.iter().flatten().map(|global| get(*global)));
    }

    fn charge_length(&self, shift: i64, out: &mut Out<'_>) {
        if let Some(fuel) = self.module.fuel {
            out.extend([get(fuel), get(self.module.scratch.length), Operator::I64ExtendI32U, i64(shift)]);
            out.extend([Operator::I64ShrU, Operator::I64Sub, set(fuel)]);
        }
    }

    /// `if start + length > size goto trap`, without overflow.
    fn bound(&self, start: u32, space: &Space, length: bool, out: &mut Out<'_>) {
        out.extend([get(start), Operator::I64ExtendI32U]);
        match length {
            true => out.extend([get(self.module.scratch.length), Operator::I64ExtendI32U]),
            false => out.push_operator(i64(1)),
        }
        out.push_operator(Operator::I64Add);
        match *space {
            Space::Memory(mem) => out.push_operator(Operator::MemorySize { mem }),
            Space::Table(table) => out.push_operator(Operator::TableSize { table }),
            Space::Segment(Some(global)) => out.push_operator(get(global)),
            Space::Segment(None) => out.push_operator(i32(0)),
        }
        out.push_operator(Operator::I64ExtendI32U);
        if let Space::Memory(_) = space {
            out.extend([i64(PAGE), Operator::I64Shl]);
        }
        out.push_operator(Operator::I64GtU);
        self.trap_if(out);
    }

    /// Keeps the length of a dropped segment up to date.
    fn dropped(&self, operator: &Operator<'_>, out: &mut Out<'_>) {
        let length = match operator {
            Operator::DataDrop { data_index } => self.module.data.get(data_index),
            Operator::ElemDrop { elem_index } => self.module.elements.get(elem_index),
            _ => None,
        };
        if let Some(length) = length {
            out.extend([i32(0), set(*length)]);
        }
    }
}

/// `1 / 0`. What follows is never reached, but tells the compiler so.
fn trap(out: &mut Out<'_>) {
    out.extend([i32(1), i32(0), Operator::I32DivU, Operator::Drop, Operator::Unreachable]);
}

/// As on wasmtime: what makes no code is free, the rest costs one.
fn cost(operator: &Operator<'_>) -> i64 {
    match operator {
        Operator::Nop
        | Operator::Drop
        | Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::Unreachable
        | Operator::Return
        | Operator::Else
        | Operator::End => 0,
        _ => 1,
    }
}

/// Whether control can go elsewhere at the operator, so that what has gathered must be charged before.
fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Unreachable
            | Operator::Return
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
    )
}
