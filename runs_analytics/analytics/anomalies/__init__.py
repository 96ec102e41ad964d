"""What is unusual in a series, judged only by what came before."""
