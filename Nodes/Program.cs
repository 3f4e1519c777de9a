using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Hosting;

AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
{
    Console.Error.WriteLine("viv: " + BugReport.Describe((Exception)unhandled.ExceptionObject));
    Environment.Exit(Failure.ExitCode);
};

return args switch
{
    [] => Failure.Usage("no command given", ""),
    ["--help" or "-h" or "help", ..] => HelpText.ShowMain(),
    ["--version", ..] => HelpText.ShowVersion(),
    ["run", ..] => RunCommand.Execute(args.AsSpan(1)),
    ["node", ..] => NodeCommand.Execute(args.AsSpan(1)),
    ["bench", ..] => BenchCommand.Execute(args.AsSpan(1)),
    _ => Failure.Usage($"unknown command {args[0]}", ""),
};
