# How the kernel is entered, and the RAMFS that it was built with.
#
# A boot sector jumps to the address at 0x800 of the kernel with a table's address in EBX; QEMU's
# -kernel to the address of the note, with the address of PVH's start info.

        .equ ABOVE, 0x40000000

        .section .note, "a"
        .balign 4
        .long 4, 4, 18                  # XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long start_pvh - ABOVE

        .text
        .code32
        .globl start_pvh
start_pvh:
        mov %ebx, pvh_info - ABOVE
        jmp enter
        .globl start32
start32:
        mov %ebx, bios_info - ABOVE
enter:  cli
        lgdt gdt_pointer - ABOVE
        mov $0x20, %eax                 # CR4.PAE
        mov %eax, %cr4
        mov $level4 - ABOVE, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx           # EFER.LME
        mov $0x100, %eax
        xor %edx, %edx
        wrmsr
        mov $0x80000001, %eax           # CR0.PG and PE
        mov %eax, %cr0
        ljmp $8, $start64 - ABOVE

        .code64
start64:
        mov $high, %rax
        jmp *%rax
high:   xor %eax, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        # The two instructions that know the kernel's end. The second one's operand stays when the
        # RAMFS grows: what it clears must not be more than the kernel's own.
        movl $kernel_end, free_memory(%rip)
        lea bss_start, %rdi
        lea kernel_end, %rcx
        sub %rdi, %rcx
        rep stosb
        lea stack_top, %rsp
        call main

        .data
        .balign 4096
level4: .quad level3 - ABOVE + 3
        .fill 511, 8, 0
level3: .quad level2 - ABOVE + 3        # the first GiB, and once more 1 GiB above
        .quad level2 - ABOVE + 3
        .fill 510, 8, 0
level2: .set page, 0
        .rept 512
        .quad page + 0x83
        .set page, page + 0x200000
        .endr
gdt:    .quad 0
        .quad 0x00af9b000000ffff
gdt_pointer:
        .word gdt_pointer - gdt - 1
        .long gdt - ABOVE
        .balign 8
        .globl pvh_info, bios_info, free_memory
pvh_info:
        .quad 0
bios_info:
        .quad 0
free_memory:
        .quad 0

# The table: size, offset of the content from the table, type (0: file, or folder; 1: link), and a
# name in 111 bytes. An entry of zeros ends it. The contents follow in the table's order.
        .macro entry from, to, type, name
        .quad \to - \from, \from - ramfs
        .byte \type
1:      .asciz "\name"
        .fill 111 - (. - 1b), 1, 0
        .endm

        .section .ramfs, "aw"
        .balign 8
        .globl ramfs
ramfs:  entry hello, hello_end, 0, "/hello"
        entry hello_end, hello_end, 0, "/empty/"
        entry link, link_end, 1, "/link"
        entry room, room_end, 0, "/room"
        .fill 128, 1, 0
hello:  .ascii "hello, world\n"
hello_end:
link:   .asciz "hello"
link_end:
room:   .fill 100000, 1, 0x55           # for a table of 787 entries
room_end:

        .bss
        .balign 16
        .skip 16384
stack_top:
