/*
 * ctx_aarch64.S - the switch: x19 .. x30 and d8 .. d15 on the stack, stack pointers exchanged.
 *
 * void weft__ctx_swap(void **from_sp, void *to_sp);
 * void weft__ctx_begin(void **from_sp, void *to_sp);
 */
.macro SAVE
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
.endm

.macro RESTORE
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
.endm

    .text
    .globl weft__ctx_swap
    .hidden weft__ctx_swap
    .type weft__ctx_swap, %function
    .p2align 4
weft__ctx_swap:
    .cfi_startproc
    hint #34
    SAVE
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    RESTORE
    ret
    .cfi_endproc
    .size weft__ctx_swap, . - weft__ctx_swap

/* Into a new task: by a jump, so that the return prediction for this call is still there when
   the task ends and weft__ctx_start comes back. */
    .globl weft__ctx_begin
    .hidden weft__ctx_begin
    .type weft__ctx_begin, %function
    .p2align 4
weft__ctx_begin:
    .cfi_startproc
    hint #34
    SAVE
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    RESTORE
    br x30
    .cfi_endproc
    .size weft__ctx_begin, . - weft__ctx_begin

/* The first instruction of a task: x19 is its function, x20 the argument.  The function returns
   the stack pointer of the context that continues when the task has ended. */
    .globl weft__ctx_start
    .hidden weft__ctx_start
    .type weft__ctx_start, %function
    .p2align 4
weft__ctx_start:
    .cfi_startproc
    .cfi_undefined x30
    hint #36
    mov x29, xzr
    mov x30, xzr
    mov x0, x20
    blr x19
    mov sp, x0
    RESTORE
    ret
    .cfi_endproc
    .size weft__ctx_start, . - weft__ctx_start

    .section .note.GNU-stack, "", %progbits
