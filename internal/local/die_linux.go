package local

import (
	"os/exec"
	"runtime"
	"syscall"
)

// DieWithUs has the kernel end a command, which is yet to start, when this
// process ends, however it ends. The goroutine that starts it must wait for it:
// to the kernel, the parent is a thread.
func DieWithUs(cmd *exec.Cmd) {
	runtime.LockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
