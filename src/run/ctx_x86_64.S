/*
 * ctx_x86_64.S - the switch: callee-saved registers on the stack, stack pointers exchanged.
 *
 * void weft__ctx_swap(void **from_sp, void *to_sp);
 * void weft__ctx_begin(void **from_sp, void *to_sp);
 *
 * It returns by "ret" although the return address is another stack's: tasks mostly park at the
 * same place, so that the processor predicts this return and those after it.
 */
.macro SAVE
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
.endm

.macro RESTORE
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
.endm

    .text
    .globl weft__ctx_swap
    .hidden weft__ctx_swap
    .type weft__ctx_swap, @function
    .p2align 4
weft__ctx_swap:
    .cfi_startproc
    endbr64
    SAVE
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    RESTORE
    ret
    .cfi_endproc
    .size weft__ctx_swap, . - weft__ctx_swap

/* Into a new task: by a jump, so that the return prediction for this call is still there when
   the task ends and weft__ctx_start comes back. */
    .globl weft__ctx_begin
    .hidden weft__ctx_begin
    .type weft__ctx_begin, @function
    .p2align 4
weft__ctx_begin:
    .cfi_startproc
    endbr64
    SAVE
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    RESTORE
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmp *%rcx
    .cfi_endproc
    .size weft__ctx_begin, . - weft__ctx_begin

/* The first instruction of a task: r12 is its function, r13 the argument.  The function returns
   the stack pointer of the context that continues when the task has ended.  The undefined
   return address tells unwinders that the stack ends here. */
    .globl weft__ctx_start
    .hidden weft__ctx_start
    .type weft__ctx_start, @function
    .p2align 4
weft__ctx_start:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    xorl %ebp, %ebp
    movq %r13, %rdi
    callq *%r12
    movq %rax, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .cfi_endproc
    .size weft__ctx_start, . - weft__ctx_start

    .section .note.GNU-stack, "", @progbits
