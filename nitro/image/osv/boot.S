# The boot sector of an OSv disk: reads the command line and what follows it, and hands over to the
# kernel as OSv's own boot sector does. `boot.py` has these bytes; tests/boot/osv compares them.
#
#   0x07c00  this sector; the u16 at 0x10 is how many units of 32 KiB are to be read
#   0x07e00  the command line, from sectors 1 to 63
#   0x80000  a unit as the BIOS has read it, before it is copied
#  0x100000  the units, from sector 128 on; the u32 at +0x18 is the address of a routine to call
#  0x200000  the kernel, when that routine has returned; the u32 at +0x800 is where it starts
#
# In EBX the kernel gets the address of a table: the fields of Multiboot's that OSv reads, and behind
# them the time stamps of its boot chart.

        .equ info, 0x1000
        .equ info_cmdline, info + 16
        .equ info_map_length, info + 44
        .equ info_map, info + 48
        .equ info_started, info + 88
        .equ info_read, info + 96
        .equ info_unpacked, info + 104
        .equ info_disk_error, info + 112
        .equ map, 0x2000
        .equ cmdline, 0x7e00
        .equ unit, 0x80000
        .equ unit_size, 0x8000
        .equ payload, 0x100000
        .equ kernel, 0x200000
        .equ flat_code, 0x08
        .equ flat_data, 0x10

        .code16
        .globl _start
_start:
        ljmp $0, $begin

        .org 0x10
units:  .word 0

# "disk address packets" of INT 13h, function 42h: size, sectors, offset, segment, first sector
        .balign 4
packet: .byte 16, 0
        .word unit_size / 512, 0, unit >> 4
first:  .quad 128
packet_cmdline:
        .byte 16, 0
        .word 63, cmdline, 0
        .quad 1
target: .long payload

gdt:    .word gdt_end - gdt - 1
        .long gdt
        .word 0
        .quad 0x00cf9b000000ffff
        .quad 0x00cf93000000ffff
gdt_end:

begin:
        cli
        xor %ax, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $_start, %sp
        sti
        cld
        mov %dl, drive
        rdtsc
        mov %eax, info_started
        mov %edx, info_started + 4
        movl $0, info_disk_error
        movl $cmdline, info_cmdline
        mov $0x2401, %ax                # let address line 20 through
        int $0x15
        mov $packet_cmdline, %si
        call read
        jc failed

next:   mov $packet, %si
        call read
        jc failed
        cli                             # for the time of the copy, segments of 4 GiB
        lgdtw gdt
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        jmp 1f
1:      mov $flat_data, %bx
        mov %bx, %ds
        mov %bx, %es
        mov $unit, %esi
        addr32 mov target, %edi
        mov $unit_size / 4, %ecx
        rep addr32 movsl
        addr32 mov %edi, target
        and $0xfe, %al
        mov %eax, %cr0
        jmp 1f
1:      xor %bx, %bx
        mov %bx, %ds
        mov %bx, %es
        sti
        addl $unit_size / 512, first
        decw units
        jnz next
        jmp memory

failed: mov %ah, info_disk_error
memory: rdtsc
        mov %eax, info_read
        mov %edx, info_read + 4
        mov $map, %di                   # the BIOS's map of memory, each entry behind its size
        movl $map, info_map
        xor %ebx, %ebx
1:      mov $0x534d4150, %edx
        mov $24, %ecx
        mov $0xe820, %eax
        add $4, %di
        int $0x15
        jc 2f
        mov %ecx, -4(%di)
        add %cx, %di
        test %ebx, %ebx
        jz 3f
        jmp 1b
2:      sub $4, %di
3:      sub $map, %di
        movzx %di, %edi
        mov %edi, info_map_length

        cli
        lgdtw gdt
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        ljmp $flat_code, $start32

read:   mov drive, %dl
        mov $0x42, %ah
        int $0x13
        ret

        .code32
start32:
        mov $flat_data, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %fs
        mov %eax, %gs
        mov %eax, %ss
        mov $_start, %esp
        call *payload + 0x18
        rdtsc
        mov %eax, info_unpacked
        mov %edx, info_unpacked + 4
        mov $info, %ebx
        jmp *kernel + 0x800

drive:  .byte 0x80

        .org 0x1b8                      # what an OSv disk has as its signature
        .ascii "VSO\0"
        .org 0x1fe
        .byte 0x55, 0xaa
